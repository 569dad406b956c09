// Generated from kani_npc/v1/speech_service.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    /// <summary>Who is served first when not everybody can be.</summary>
    public enum Priority
    {
        /// <summary>PRIORITY_DIALOGUE.</summary>
        Unspecified = 0,
        /// <summary>Background chatter.</summary>
        Ambient = 1,
        /// <summary>A short reaction.</summary>
        Bark = 2,
        /// <summary>Somebody talks to the player.</summary>
        Dialogue = 3,
        /// <summary>The player must hear this.</summary>
        Critical = 4,
    }

    /// <summary>How far the sound may run ahead of its listener.</summary>
    public enum Pace
    {
        /// <summary>PACE_REALTIME.</summary>
        Unspecified = 0,
        /// <summary>Half a second at once, then never more than two seconds ahead of playback.</summary>
        Realtime = 1,
        /// <summary>As fast as it comes: files, tests, batches. Served after every line in real time.</summary>
        Unpaced = 2,
    }

    /// <summary>Why a line ended.</summary>
    public enum FinishReason
    {
        Unspecified = 0,
        /// <summary>The line was said.</summary>
        EndOfSpeech = 1,
        /// <summary>Cut by sampling.max_frames; the line may be incomplete.</summary>
        MaxFrames = 2,
        /// <summary>Somebody called Interrupt.</summary>
        Interrupted = 3,
        /// <summary>A newer turn of the same NPC took its place.</summary>
        Superseded = 4,
        /// <summary>The watchdog cut it: the voice repeated itself, fell silent or would not end. The last frame fades out.</summary>
        Watchdog = 5,
    }

    public enum PrewarmOutcome
    {
        Unspecified = 0,
        /// <summary>It was made and is kept.</summary>
        Made = 1,
        /// <summary>It was there already.</summary>
        Cached = 2,
        /// <summary>See `reason` and `message`. The others go on.</summary>
        Failed = 3,
    }

    public sealed class SynthesizeRequest : IWireMessage
    {
        /// <summary>An NPC's id: its voice, accent, lexicon, delivery, sampling and seed policy, each of which a field below overrides.</summary>
        public string Npc = "";
        /// <summary>What to say: plain text, up to 20,000 characters. Long text is spoken piece by piece, in one voice.</summary>
        public string Text = "";
        /// <summary>A voice's `id`, or `id@revision`; empty is the NPC's, else the server's default voice.</summary>
        public string Voice = "";
        /// <summary>An accent's id; empty is the NPC's, else the voice's own accent, else the server's default.</summary>
        public string Accent = "";
        public AudioFormat Audio;
        public Sampling Sampling;
        /// <summary>
        /// 0 to 2^63 - 1. Not set, it is as the NPC's seed policy says, else derived from text, voice and accent, so that a line
        /// always sounds the same.
        /// </summary>
        public long? Seed;
        /// <summary>Draws a new seed, for a new take of the same line; the header says which. Excludes `seed`.</summary>
        public bool Vary;
        public Priority Priority;
        public Pace Pace;
        /// <summary>Better silent than late: a line that has no place after so long ends with DEADLINE_EXCEEDED. 0 waits for ever.</summary>
        public int StartWithinMs;
        /// <summary>
        /// Of a line of an NPC, above 0: it silences that NPC's lines of lower turns, and is itself SUPERSEDED at once if a
        /// higher one was seen. 0 leaves others alone.
        /// </summary>
        public long Turn;
        /// <summary>More text follows, through AppendText; the line ends when a piece of it says `close`.</summary>
        public bool OpenText;
        /// <summary>No sound before the watchdog has heard the whole line; one that it would cut is made again, at most twice.</summary>
        public bool HoldUntilChecked;
        /// <summary>Sends SpeechTiming too.</summary>
        public bool Visemes;

        public static SynthesizeRequest Parse(ArraySegment<byte> data)
        {
            var message = new SynthesizeRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Npc)) output.String(10, Npc);
            if (!string.IsNullOrEmpty(Text)) output.String(18, Text);
            if (!string.IsNullOrEmpty(Voice)) output.String(26, Voice);
            if (!string.IsNullOrEmpty(Accent)) output.String(34, Accent);
            if (Audio != null) output.Message(42, Audio);
            if (Sampling != null) output.Message(50, Sampling);
            if (Seed != null) output.Int64(56, Seed.Value);
            if (Vary) output.Bool(64, Vary);
            if (Priority != 0) output.Int32(72, (int)Priority);
            if (Pace != 0) output.Int32(80, (int)Pace);
            if (StartWithinMs != 0) output.Int32(88, StartWithinMs);
            if (Turn != 0) output.Int64(96, Turn);
            if (OpenText) output.Bool(104, OpenText);
            if (HoldUntilChecked) output.Bool(112, HoldUntilChecked);
            if (Visemes) output.Bool(120, Visemes);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Npc = input.String(); break;
                    case 18: Text = input.String(); break;
                    case 26: Voice = input.String(); break;
                    case 34: Accent = input.String(); break;
                    case 42: { var part = Audio ?? new AudioFormat(); input.Message(part); Audio = part; break; }
                    case 50: { var part = Sampling ?? new Sampling(); input.Message(part); Sampling = part; break; }
                    case 56: Seed = input.Int64(); break;
                    case 64: Vary = input.Bool(); break;
                    case 72: Priority = (Priority)input.Int32(); break;
                    case 80: Pace = (Pace)input.Int32(); break;
                    case 88: StartWithinMs = input.Int32(); break;
                    case 96: Turn = input.Int64(); break;
                    case 104: OpenText = input.Bool(); break;
                    case 112: HoldUntilChecked = input.Bool(); break;
                    case 120: Visemes = input.Bool(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>A fragment of text that is being written.</summary>
    public sealed class TextPiece : IWireMessage
    {
        /// <summary>Any part of a word, a sentence or a page.</summary>
        public string Text = "";
        /// <summary>Say what is there, though no clause has ended.</summary>
        public bool Flush;
        /// <summary>Nothing follows.</summary>
        public bool Close;

        public static TextPiece Parse(ArraySegment<byte> data)
        {
            var message = new TextPiece();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Text)) output.String(10, Text);
            if (Flush) output.Bool(16, Flush);
            if (Close) output.Bool(24, Close);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Text = input.String(); break;
                    case 16: Flush = input.Bool(); break;
                    case 24: Close = input.Bool(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class StreamingSynthesizeRequest : IWireMessage
    {
        public enum RequestCaseKind
        {
            None = 0,
            Config = 1,
            Piece = 2,
        }

        private object _request;
        public RequestCaseKind RequestCase { get; private set; }

        /// <summary>First, once. Its text, if there is any, is the first piece.</summary>
        public SynthesizeRequest Config
        {
            get { return RequestCase == RequestCaseKind.Config ? (SynthesizeRequest)_request : null; }
            set
            {
                if (value == null && RequestCase != RequestCaseKind.Config) return;
                _request = value;
                RequestCase = value == null ? RequestCaseKind.None : RequestCaseKind.Config;
            }
        }

        public TextPiece Piece
        {
            get { return RequestCase == RequestCaseKind.Piece ? (TextPiece)_request : null; }
            set
            {
                if (value == null && RequestCase != RequestCaseKind.Piece) return;
                _request = value;
                RequestCase = value == null ? RequestCaseKind.None : RequestCaseKind.Piece;
            }
        }

        public static StreamingSynthesizeRequest Parse(ArraySegment<byte> data)
        {
            var message = new StreamingSynthesizeRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Config != null) output.Message(10, Config);
            if (Piece != null) output.Message(18, Piece);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Config ?? new SynthesizeRequest(); input.Message(part); Config = part; break; }
                    case 18: { var part = Piece ?? new TextPiece(); input.Message(part); Piece = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>The first event of every stream.</summary>
    public sealed class SpeechHeader : IWireMessage
    {
        /// <summary>Names this utterance, in the server's log too.</summary>
        public string UtteranceId = "";
        public AudioEncoding Encoding;
        public int SampleRateHz;
        public string Voice = "";
        public int VoiceRevision;
        /// <summary>Empty where the model knows no accents.</summary>
        public string Accent = "";
        public string Model = "";
        /// <summary>The same seed, text, voice, accent and sampling give the same speech.</summary>
        public long Seed;
        /// <summary>Always true: this voice is not a recording.</summary>
        public bool Synthetic;
        /// <summary>Which version of the draw `seed` feeds.</summary>
        public string SamplerVersion = "";
        /// <summary>
        /// So much sound should be in hand before playback starts, where this machine makes speech no faster than it is played;
        /// 0 where sound can be played as it comes.
        /// </summary>
        public int RecommendedPrebufferMs;
        /// <summary>Empty where the line named none.</summary>
        public string Npc = "";

        public static SpeechHeader Parse(ArraySegment<byte> data)
        {
            var message = new SpeechHeader();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(UtteranceId)) output.String(10, UtteranceId);
            if (Encoding != 0) output.Int32(16, (int)Encoding);
            if (SampleRateHz != 0) output.Int32(24, SampleRateHz);
            if (!string.IsNullOrEmpty(Voice)) output.String(34, Voice);
            if (VoiceRevision != 0) output.Int32(40, VoiceRevision);
            if (!string.IsNullOrEmpty(Accent)) output.String(50, Accent);
            if (!string.IsNullOrEmpty(Model)) output.String(58, Model);
            if (Seed != 0) output.Int64(64, Seed);
            if (Synthetic) output.Bool(72, Synthetic);
            if (!string.IsNullOrEmpty(SamplerVersion)) output.String(82, SamplerVersion);
            if (RecommendedPrebufferMs != 0) output.Int32(88, RecommendedPrebufferMs);
            if (!string.IsNullOrEmpty(Npc)) output.String(98, Npc);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: UtteranceId = input.String(); break;
                    case 16: Encoding = (AudioEncoding)input.Int32(); break;
                    case 24: SampleRateHz = input.Int32(); break;
                    case 34: Voice = input.String(); break;
                    case 40: VoiceRevision = input.Int32(); break;
                    case 50: Accent = input.String(); break;
                    case 58: Model = input.String(); break;
                    case 64: Seed = input.Int64(); break;
                    case 72: Synthetic = input.Bool(); break;
                    case 82: SamplerVersion = input.String(); break;
                    case 88: RecommendedPrebufferMs = input.Int32(); break;
                    case 98: Npc = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>A piece of the sound; never empty.</summary>
    public sealed class SpeechAudio : IWireMessage
    {
        public ArraySegment<byte> Data;
        /// <summary>Position of its first sample in the line, counted at the stream's sample rate. There are no gaps.</summary>
        public long FirstSample;

        public static SpeechAudio Parse(ArraySegment<byte> data)
        {
            var message = new SpeechAudio();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Data.Count != 0) output.Bytes(10, Data);
            if (FirstSample != 0) output.Int64(16, FirstSample);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Data = input.Bytes(); break;
                    case 16: FirstSample = input.Int64(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>The last event of every line that was said. Times are in milliseconds.</summary>
    public sealed class SpeechEnd : IWireMessage
    {
        public FinishReason FinishReason;
        /// <summary>At the stream's sample rate.</summary>
        public long TotalSamples;
        /// <summary>From the request's arrival to this event; includes waiting for a listener in real time.</summary>
        public double ElapsedMs;
        /// <summary>The engine's own time for this line.</summary>
        public double ComputeMs;
        /// <summary>Waiting for a free place.</summary>
        public double QueuedMs;
        /// <summary>From the request's arrival to the first audio; 0 if there was none.</summary>
        public double FirstAudioMs;
        /// <summary>The line was not generated but remembered.</summary>
        public bool CacheHit;
        /// <summary>How many takes were made; above 1 the watchdog threw one away before any of it was heard.</summary>
        public int Attempts;

        public static SpeechEnd Parse(ArraySegment<byte> data)
        {
            var message = new SpeechEnd();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (FinishReason != 0) output.Int32(8, (int)FinishReason);
            if (TotalSamples != 0) output.Int64(16, TotalSamples);
            if (BitConverter.DoubleToInt64Bits(ElapsedMs) != 0) output.Double(25, ElapsedMs);
            if (BitConverter.DoubleToInt64Bits(ComputeMs) != 0) output.Double(33, ComputeMs);
            if (BitConverter.DoubleToInt64Bits(QueuedMs) != 0) output.Double(41, QueuedMs);
            if (BitConverter.DoubleToInt64Bits(FirstAudioMs) != 0) output.Double(49, FirstAudioMs);
            if (CacheHit) output.Bool(56, CacheHit);
            if (Attempts != 0) output.Int32(64, Attempts);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: FinishReason = (FinishReason)input.Int32(); break;
                    case 16: TotalSamples = input.Int64(); break;
                    case 25: ElapsedMs = input.Double(); break;
                    case 33: ComputeMs = input.Double(); break;
                    case 41: QueuedMs = input.Double(); break;
                    case 49: FirstAudioMs = input.Double(); break;
                    case 56: CacheHit = input.Bool(); break;
                    case 64: Attempts = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>
    /// What the mouth does, computed from the sound itself. Where a request sets `visemes`, it comes before the audio that it
    /// belongs to; positions are on the same clock, so a player applies it by the samples that were played.
    /// </summary>
    public sealed class SpeechTiming : IWireMessage
    {
        /// <summary>Where the first hop begins. Hops follow each other without gaps, over all events of a line.</summary>
        public long FirstSample;
        /// <summary>Samples of one hop: 20 ms.</summary>
        public int HopSamples;
        /// <summary>
        /// 15 a hop, hop after hop; each 0 to 1, and 1 together. In order: sil, PP, FF, TH, DD, kk, CH, SS, nn, RR, aa, E, ih, oh,
        /// ou (silence; p b m; f v; th dh; t d; k g; ch jh sh zh; s z; n l; r; and the five vowels).
        /// </summary>
        public readonly List<float> Weights = new List<float>();
        /// <summary>One a hop: 0 is a closed mouth, 1 an open one.</summary>
        public readonly List<float> Openness = new List<float>();

        public static SpeechTiming Parse(ArraySegment<byte> data)
        {
            var message = new SpeechTiming();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (FirstSample != 0) output.Int64(8, FirstSample);
            if (HopSamples != 0) output.Int32(16, HopSamples);
            if (Weights.Count != 0)
            {
                var mark = output.Begin(26);
                for (var i = 0; i < Weights.Count; i++) output.Float(Weights[i]);
                output.End(mark);
            }
            if (Openness.Count != 0)
            {
                var mark = output.Begin(34);
                for (var i = 0; i < Openness.Count; i++) output.Float(Openness[i]);
                output.End(mark);
            }
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: FirstSample = input.Int64(); break;
                    case 16: HopSamples = input.Int32(); break;
                    case 29: Weights.Add(input.Float()); break;
                    case 26:
                    {
                        var outer = input.Enter();
                        while (!input.AtEnd) Weights.Add(input.Float());
                        input.Leave(outer);
                        break;
                    }
                    case 37: Openness.Add(input.Float()); break;
                    case 34:
                    {
                        var outer = input.Enter();
                        while (!input.AtEnd) Openness.Add(input.Float());
                        input.Leave(outer);
                        break;
                    }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>The same events as of SynthesizeResponse.</summary>
    public sealed class StreamingSynthesizeResponse : IWireMessage
    {
        public enum EventCaseKind
        {
            None = 0,
            Header = 1,
            Audio = 2,
            End = 3,
            Timing = 4,
        }

        private object _event;
        public EventCaseKind EventCase { get; private set; }

        public SpeechHeader Header
        {
            get { return EventCase == EventCaseKind.Header ? (SpeechHeader)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.Header) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.Header;
            }
        }

        public SpeechAudio Audio
        {
            get { return EventCase == EventCaseKind.Audio ? (SpeechAudio)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.Audio) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.Audio;
            }
        }

        public SpeechEnd End
        {
            get { return EventCase == EventCaseKind.End ? (SpeechEnd)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.End) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.End;
            }
        }

        public SpeechTiming Timing
        {
            get { return EventCase == EventCaseKind.Timing ? (SpeechTiming)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.Timing) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.Timing;
            }
        }

        public static StreamingSynthesizeResponse Parse(ArraySegment<byte> data)
        {
            var message = new StreamingSynthesizeResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Header != null) output.Message(10, Header);
            if (Audio != null) output.Message(18, Audio);
            if (End != null) output.Message(26, End);
            if (Timing != null) output.Message(34, Timing);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Header ?? new SpeechHeader(); input.Message(part); Header = part; break; }
                    case 18: { var part = Audio ?? new SpeechAudio(); input.Message(part); Audio = part; break; }
                    case 26: { var part = End ?? new SpeechEnd(); input.Message(part); End = part; break; }
                    case 34: { var part = Timing ?? new SpeechTiming(); input.Message(part); Timing = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class AppendTextRequest : IWireMessage
    {
        /// <summary>SpeechHeader.utterance_id of a line that is open.</summary>
        public string UtteranceId = "";
        public TextPiece Piece;
        /// <summary>
        /// 0 for the first piece, then one more each time. A piece that came before is not taken twice, so that a call can be
        /// repeated; a gap is refused.
        /// </summary>
        public int Sequence;

        public static AppendTextRequest Parse(ArraySegment<byte> data)
        {
            var message = new AppendTextRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(UtteranceId)) output.String(10, UtteranceId);
            if (Piece != null) output.Message(18, Piece);
            if (Sequence != 0) output.Int32(24, Sequence);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: UtteranceId = input.String(); break;
                    case 18: { var part = Piece ?? new TextPiece(); input.Message(part); Piece = part; break; }
                    case 24: Sequence = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class AppendTextResponse : IWireMessage
    {
        /// <summary>The sequence number that is expected next.</summary>
        public int NextSequence;

        public static AppendTextResponse Parse(ArraySegment<byte> data)
        {
            var message = new AppendTextResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (NextSequence != 0) output.Int32(8, NextSequence);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: NextSequence = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class InterruptRequest : IWireMessage
    {
        public enum TargetCaseKind
        {
            None = 0,
            Npc = 1,
            UtteranceId = 2,
        }

        private object _target;
        public TargetCaseKind TargetCase { get; private set; }

        /// <summary>Every line of this NPC.</summary>
        public string Npc
        {
            get { return TargetCase == TargetCaseKind.Npc ? (string)_target : null; }
            set
            {
                if (value == null && TargetCase != TargetCaseKind.Npc) return;
                _target = value;
                TargetCase = value == null ? TargetCaseKind.None : TargetCaseKind.Npc;
            }
        }

        /// <summary>SpeechHeader.utterance_id.</summary>
        public string UtteranceId
        {
            get { return TargetCase == TargetCaseKind.UtteranceId ? (string)_target : null; }
            set
            {
                if (value == null && TargetCase != TargetCaseKind.UtteranceId) return;
                _target = value;
                TargetCase = value == null ? TargetCaseKind.None : TargetCaseKind.UtteranceId;
            }
        }

        public static InterruptRequest Parse(ArraySegment<byte> data)
        {
            var message = new InterruptRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Npc != null) output.String(10, Npc);
            if (UtteranceId != null) output.String(18, UtteranceId);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Npc = input.String(); break;
                    case 18: UtteranceId = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class InterruptedLine : IWireMessage
    {
        public string UtteranceId = "";
        /// <summary>So much had been sent, at the stream's sample rate; the listener may have played less.</summary>
        public long SamplesSent;
        public int SampleRateHz;

        public static InterruptedLine Parse(ArraySegment<byte> data)
        {
            var message = new InterruptedLine();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(UtteranceId)) output.String(10, UtteranceId);
            if (SamplesSent != 0) output.Int64(16, SamplesSent);
            if (SampleRateHz != 0) output.Int32(24, SampleRateHz);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: UtteranceId = input.String(); break;
                    case 16: SamplesSent = input.Int64(); break;
                    case 24: SampleRateHz = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class InterruptResponse : IWireMessage
    {
        public readonly List<InterruptedLine> Lines = new List<InterruptedLine>();

        public static InterruptResponse Parse(ArraySegment<byte> data)
        {
            var message = new InterruptResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Lines.Count; i++) output.Message(10, Lines[i]);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new InterruptedLine(); input.Message(item); Lines.Add(item); break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class PrewarmRequest : IWireMessage
    {
        /// <summary>As they will be asked for. Pace, priority, audio format and turn do not matter to the cache.</summary>
        public readonly List<SynthesizeRequest> Lines = new List<SynthesizeRequest>();

        public static PrewarmRequest Parse(ArraySegment<byte> data)
        {
            var message = new PrewarmRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Lines.Count; i++) output.Message(10, Lines[i]);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new SynthesizeRequest(); input.Message(item); Lines.Add(item); break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class PrewarmResponse : IWireMessage
    {
        /// <summary>Index of the line in the request.</summary>
        public int Line;
        public PrewarmOutcome Outcome;
        /// <summary>At the model's own rate.</summary>
        public long TotalSamples;
        /// <summary>As in google.rpc.ErrorInfo, where it failed.</summary>
        public string Reason = "";
        public string Message = "";

        public static PrewarmResponse Parse(ArraySegment<byte> data)
        {
            var message = new PrewarmResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Line != 0) output.Int32(8, Line);
            if (Outcome != 0) output.Int32(16, (int)Outcome);
            if (TotalSamples != 0) output.Int64(24, TotalSamples);
            if (!string.IsNullOrEmpty(Reason)) output.String(34, Reason);
            if (!string.IsNullOrEmpty(Message)) output.String(42, Message);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: Line = input.Int32(); break;
                    case 16: Outcome = (PrewarmOutcome)input.Int32(); break;
                    case 24: TotalSamples = input.Int64(); break;
                    case 34: Reason = input.String(); break;
                    case 42: Message = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>Field number 5 is kept for notices. Clients skip events they do not know.</summary>
    public sealed class SynthesizeResponse : IWireMessage
    {
        public enum EventCaseKind
        {
            None = 0,
            Header = 1,
            Audio = 2,
            End = 3,
            Timing = 4,
        }

        private object _event;
        public EventCaseKind EventCase { get; private set; }

        public SpeechHeader Header
        {
            get { return EventCase == EventCaseKind.Header ? (SpeechHeader)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.Header) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.Header;
            }
        }

        public SpeechAudio Audio
        {
            get { return EventCase == EventCaseKind.Audio ? (SpeechAudio)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.Audio) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.Audio;
            }
        }

        public SpeechEnd End
        {
            get { return EventCase == EventCaseKind.End ? (SpeechEnd)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.End) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.End;
            }
        }

        public SpeechTiming Timing
        {
            get { return EventCase == EventCaseKind.Timing ? (SpeechTiming)_event : null; }
            set
            {
                if (value == null && EventCase != EventCaseKind.Timing) return;
                _event = value;
                EventCase = value == null ? EventCaseKind.None : EventCaseKind.Timing;
            }
        }

        public static SynthesizeResponse Parse(ArraySegment<byte> data)
        {
            var message = new SynthesizeResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Header != null) output.Message(10, Header);
            if (Audio != null) output.Message(18, Audio);
            if (End != null) output.Message(26, End);
            if (Timing != null) output.Message(34, Timing);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Header ?? new SpeechHeader(); input.Message(part); Header = part; break; }
                    case 18: { var part = Audio ?? new SpeechAudio(); input.Message(part); Audio = part; break; }
                    case 26: { var part = End ?? new SpeechEnd(); input.Message(part); End = part; break; }
                    case 34: { var part = Timing ?? new SpeechTiming(); input.Message(part); Timing = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetServerInfoRequest : IWireMessage
    {
        public static GetServerInfoRequest Parse(ArraySegment<byte> data)
        {
            var message = new GetServerInfoRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ModelInfo : IWireMessage
    {
        public string Name = "";
        public string Licence = "";
        public int SampleRateHz;
        /// <summary>80 ms of sound: the unit in which speech is made.</summary>
        public int SamplesPerFrame;
        /// <summary>The speaker encoder whose embeddings this model takes; empty where it takes none.</summary>
        public string SpeakerSpace = "";
        /// <summary>Language tags, as the model was trained.</summary>
        public readonly List<string> Languages = new List<string>();
        /// <summary>What a request that sets nothing gets.</summary>
        public Sampling Sampling;
        public string SamplerVersion = "";
        /// <summary>Values that the model's files do not state and that were assumed.</summary>
        public readonly List<string> AssumedDefaults = new List<string>();

        public static ModelInfo Parse(ArraySegment<byte> data)
        {
            var message = new ModelInfo();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Name)) output.String(10, Name);
            if (!string.IsNullOrEmpty(Licence)) output.String(18, Licence);
            if (SampleRateHz != 0) output.Int32(24, SampleRateHz);
            if (SamplesPerFrame != 0) output.Int32(32, SamplesPerFrame);
            if (!string.IsNullOrEmpty(SpeakerSpace)) output.String(42, SpeakerSpace);
            for (var i = 0; i < Languages.Count; i++) output.String(50, Languages[i]);
            if (Sampling != null) output.Message(58, Sampling);
            if (!string.IsNullOrEmpty(SamplerVersion)) output.String(66, SamplerVersion);
            for (var i = 0; i < AssumedDefaults.Count; i++) output.String(74, AssumedDefaults[i]);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Name = input.String(); break;
                    case 18: Licence = input.String(); break;
                    case 24: SampleRateHz = input.Int32(); break;
                    case 32: SamplesPerFrame = input.Int32(); break;
                    case 42: SpeakerSpace = input.String(); break;
                    case 50: Languages.Add(input.String()); break;
                    case 58: { var part = Sampling ?? new Sampling(); input.Message(part); Sampling = part; break; }
                    case 66: SamplerVersion = input.String(); break;
                    case 74: AssumedDefaults.Add(input.String()); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class VoiceInfo : IWireMessage
    {
        public string Id = "";
        public string DisplayName = "";
        /// <summary>The accent it speaks when none is asked for.</summary>
        public string Accent = "";
        public string Licence = "";
        public int Revision;

        public static VoiceInfo Parse(ArraySegment<byte> data)
        {
            var message = new VoiceInfo();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(DisplayName)) output.String(18, DisplayName);
            if (!string.IsNullOrEmpty(Accent)) output.String(26, Accent);
            if (!string.IsNullOrEmpty(Licence)) output.String(34, Licence);
            if (Revision != 0) output.Int32(40, Revision);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 18: DisplayName = input.String(); break;
                    case 26: Accent = input.String(); break;
                    case 34: Licence = input.String(); break;
                    case 40: Revision = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class AccentInfo : IWireMessage
    {
        public string Id = "";
        /// <summary>The language tag the model was trained with.</summary>
        public string Tag = "";

        public static AccentInfo Parse(ArraySegment<byte> data)
        {
            var message = new AccentInfo();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(Tag)) output.String(18, Tag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 18: Tag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>Utterances at once, in this process.</summary>
    public sealed class Capacity : IWireMessage
    {
        public int NumSlots;
        public int Active;
        public int Waiting;

        public static Capacity Parse(ArraySegment<byte> data)
        {
            var message = new Capacity();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (NumSlots != 0) output.Int32(8, NumSlots);
            if (Active != 0) output.Int32(16, Active);
            if (Waiting != 0) output.Int32(24, Waiting);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: NumSlots = input.Int32(); break;
                    case 16: Active = input.Int32(); break;
                    case 24: Waiting = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetServerInfoResponse : IWireMessage
    {
        /// <summary>Of the software.</summary>
        public string Version = "";
        public ModelInfo Model;
        /// <summary>Those that came with the model; VoiceService.ListVoices has the project's too.</summary>
        public readonly List<VoiceInfo> Voices = new List<VoiceInfo>();
        public string DefaultVoice = "";
        /// <summary>Those that came with the model; AccentService.ListAccents has the project's too.</summary>
        public readonly List<AccentInfo> Accents = new List<AccentInfo>();
        /// <summary>Empty where the model knows no accents.</summary>
        public string DefaultAccent = "";
        public readonly List<AudioEncoding> Encodings = new List<AudioEncoding>();
        /// <summary>The model's own rate among them.</summary>
        public readonly List<int> SampleRatesHz = new List<int>();
        public Capacity Capacity;
        /// <summary>Whether a line's samples are the same bits whoever else is speaking (`kani-npc serve --reproducible`).</summary>
        public bool Reproducible;

        public static GetServerInfoResponse Parse(ArraySegment<byte> data)
        {
            var message = new GetServerInfoResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Version)) output.String(10, Version);
            if (Model != null) output.Message(18, Model);
            for (var i = 0; i < Voices.Count; i++) output.Message(26, Voices[i]);
            if (!string.IsNullOrEmpty(DefaultVoice)) output.String(34, DefaultVoice);
            for (var i = 0; i < Accents.Count; i++) output.Message(42, Accents[i]);
            if (!string.IsNullOrEmpty(DefaultAccent)) output.String(50, DefaultAccent);
            if (Encodings.Count != 0)
            {
                var mark = output.Begin(58);
                for (var i = 0; i < Encodings.Count; i++) output.Int32((int)Encodings[i]);
                output.End(mark);
            }
            if (SampleRatesHz.Count != 0)
            {
                var mark = output.Begin(66);
                for (var i = 0; i < SampleRatesHz.Count; i++) output.Int32(SampleRatesHz[i]);
                output.End(mark);
            }
            if (Capacity != null) output.Message(74, Capacity);
            if (Reproducible) output.Bool(80, Reproducible);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Version = input.String(); break;
                    case 18: { var part = Model ?? new ModelInfo(); input.Message(part); Model = part; break; }
                    case 26: { var item = new VoiceInfo(); input.Message(item); Voices.Add(item); break; }
                    case 34: DefaultVoice = input.String(); break;
                    case 42: { var item = new AccentInfo(); input.Message(item); Accents.Add(item); break; }
                    case 50: DefaultAccent = input.String(); break;
                    case 56: Encodings.Add((AudioEncoding)input.Int32()); break;
                    case 58:
                    {
                        var outer = input.Enter();
                        while (!input.AtEnd) Encodings.Add((AudioEncoding)input.Int32());
                        input.Leave(outer);
                        break;
                    }
                    case 64: SampleRatesHz.Add(input.Int32()); break;
                    case 66:
                    {
                        var outer = input.Enter();
                        while (!input.AtEnd) SampleRatesHz.Add(input.Int32());
                        input.Leave(outer);
                        break;
                    }
                    case 74: { var part = Capacity ?? new Capacity(); input.Message(part); Capacity = part; break; }
                    case 80: Reproducible = input.Bool(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public static class SpeechService
    {
        /// <summary>
        /// Says one line. The stream is one header, then audio, then exactly one end; without an end the line is not whole.
        /// Cancelling the call, or its deadline, stops the voice within one frame of 80 ms. A line whose voice loses its consent
        /// ends within a second with FAILED_PRECONDITION (reason CONSENT_REVOKED or CONSENT_EXPIRED); what was received of it
        /// must not be played.
        /// </summary>
        public static readonly StreamingMethod<SynthesizeRequest, SynthesizeResponse> Synthesize =
            new StreamingMethod<SynthesizeRequest, SynthesizeResponse>("/kani_npc.v1.SpeechService/Synthesize", SynthesizeResponse.Parse);

        /// <summary>Adds text to a line that `Synthesize` began with `open_text`, for clients that cannot stream to the server.</summary>
        public static readonly UnaryMethod<AppendTextRequest, AppendTextResponse> AppendText =
            new UnaryMethod<AppendTextRequest, AppendTextResponse>("/kani_npc.v1.SpeechService/AppendText", AppendTextResponse.Parse);

        /// <summary>
        /// Stops an NPC, or one line, from anywhere: the stream gets its end, with FINISH_REASON_INTERRUPTED, before the next
        /// frame. Nobody speaking is not an error.
        /// </summary>
        public static readonly UnaryMethod<InterruptRequest, InterruptResponse> Interrupt =
            new UnaryMethod<InterruptRequest, InterruptResponse>("/kani_npc.v1.SpeechService/Interrupt", InterruptResponse.Parse);

        /// <summary>
        /// Makes lines ahead of play, when nobody else needs the engine, and keeps them in the line cache. One answer a line, in
        /// the order in which they are done. FAILED_PRECONDITION where this server keeps no cache.
        /// </summary>
        public static readonly StreamingMethod<PrewarmRequest, PrewarmResponse> Prewarm =
            new StreamingMethod<PrewarmRequest, PrewarmResponse>("/kani_npc.v1.SpeechService/Prewarm", PrewarmResponse.Parse);

        /// <summary>What this server speaks with: model, licence, voices, accents, formats, capacity.</summary>
        public static readonly UnaryMethod<GetServerInfoRequest, GetServerInfoResponse> GetServerInfo =
            new UnaryMethod<GetServerInfoRequest, GetServerInfoResponse>("/kani_npc.v1.SpeechService/GetServerInfo", GetServerInfoResponse.Parse);
    }
}
