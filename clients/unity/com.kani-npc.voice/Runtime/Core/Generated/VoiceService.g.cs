// Generated from kani_npc/v1/voice_service.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    public enum ConsentKind
    {
        Unspecified = 0,
        /// <summary>By the holder of the voice, in a statement. Needs holder, statement and scope.</summary>
        Granted = 1,
        /// <summary>Declared: it is the voice of who enrols it.</summary>
        OwnVoice = 2,
        /// <summary>Declared: it is nobody's voice.</summary>
        Synthetic = 3,
    }

    public enum VoiceSource
    {
        Unspecified = 0,
        Enrolled = 1,
        Blended = 2,
        Imported = 3,
        FineTuned = 4,
        /// <summary>Came with the model.</summary>
        Builtin = 5,
    }

    /// <summary>Who allowed a voice, what for, until when.</summary>
    public sealed class Consent : IWireMessage
    {
        public ConsentKind Kind;
        /// <summary>Whose voice it is.</summary>
        public string Holder = "";
        /// <summary>What the holder said or signed.</summary>
        public string Statement = "";
        /// <summary>What it may be used for.</summary>
        public string Scope = "";
        /// <summary>Not set: it does not end by itself.</summary>
        public Timestamp ExpireTime;
        /// <summary>sha256 of the recorded statement, 64 hexadecimal digits in lower case; empty where there is none.</summary>
        public string StatementSha256 = "";
        /// <summary>Output only, set by RevokeConsent.</summary>
        public Timestamp RevokeTime;

        public static Consent Parse(ArraySegment<byte> data)
        {
            var message = new Consent();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Kind != 0) output.Int32(8, (int)Kind);
            if (!string.IsNullOrEmpty(Holder)) output.String(18, Holder);
            if (!string.IsNullOrEmpty(Statement)) output.String(26, Statement);
            if (!string.IsNullOrEmpty(Scope)) output.String(34, Scope);
            if (ExpireTime != null) output.Message(42, ExpireTime);
            if (!string.IsNullOrEmpty(StatementSha256)) output.String(50, StatementSha256);
            if (RevokeTime != null) output.Message(58, RevokeTime);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: Kind = (ConsentKind)input.Int32(); break;
                    case 18: Holder = input.String(); break;
                    case 26: Statement = input.String(); break;
                    case 34: Scope = input.String(); break;
                    case 42: { var part = ExpireTime ?? new Timestamp(); input.Message(part); ExpireTime = part; break; }
                    case 50: StatementSha256 = input.String(); break;
                    case 58: { var part = RevokeTime ?? new Timestamp(); input.Message(part); RevokeTime = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>Who is speaking, as a model sees it.</summary>
    public sealed class Embedding : IWireMessage
    {
        /// <summary>The encoder that made it. A model takes one space and refuses others (GetServerInfoResponse.model.speaker_space).</summary>
        public string Space = "";
        /// <summary>Of unit length. Input only: it is read with ExportVoice.</summary>
        public readonly List<float> Values = new List<float>();

        public static Embedding Parse(ArraySegment<byte> data)
        {
            var message = new Embedding();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Space)) output.String(10, Space);
            if (Values.Count != 0)
            {
                var mark = output.Begin(18);
                for (var i = 0; i < Values.Count; i++) output.Float(Values[i]);
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
                    case 10: Space = input.String(); break;
                    case 21: Values.Add(input.Float()); break;
                    case 18:
                    {
                        var outer = input.Enter();
                        while (!input.AtEnd) Values.Add(input.Float());
                        input.Leave(outer);
                        break;
                    }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    /// <summary>One voice of a blend.</summary>
    public sealed class BlendShare : IWireMessage
    {
        /// <summary>`id`, or `id@revision`.</summary>
        public string Voice = "";
        /// <summary>Not negative; only the ratios count.</summary>
        public double Weight;

        public static BlendShare Parse(ArraySegment<byte> data)
        {
            var message = new BlendShare();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Voice)) output.String(10, Voice);
            if (BitConverter.DoubleToInt64Bits(Weight) != 0) output.Double(17, Weight);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Voice = input.String(); break;
                    case 17: Weight = input.Double(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class Voice : IWireMessage
    {
        /// <summary>1 to 63 of a-z, 0-9 and -. Never changes.</summary>
        public string Id = "";
        public string DisplayName = "";
        public readonly Dictionary<string, string> Labels = new Dictionary<string, string>();
        /// <summary>Moves with every change. In an update or a deletion, the change happens only if this is still the voice's.</summary>
        public string Etag = "";
        /// <summary>Output only. Moves when what is heard or allowed changes. `id@revision` names the voice as it was then.</summary>
        public int Revision;
        /// <summary>Output only.</summary>
        public Timestamp CreateTime;
        /// <summary>Output only.</summary>
        public Timestamp UpdateTime;
        /// <summary>Output only, but in CreateVoice, where ENROLLED (the default), IMPORTED and FINE_TUNED may be said.</summary>
        public VoiceSource Source;
        /// <summary>Not set: the model's own mode without a speaker.</summary>
        public Embedding Embedding;
        /// <summary>The language tag of its lines where no accent is asked for; empty is the model's default.</summary>
        public string Tag = "";
        public string Licence = "";
        /// <summary>Needed by every voice that is not a blend; a blend without one may speak while all that it was made of may.</summary>
        public Consent Consent;
        /// <summary>Output only. What it was blended from.</summary>
        public readonly List<BlendShare> Parents = new List<BlendShare>();
        /// <summary>Output only. How many recordings were kept.</summary>
        public int NumClips;
        /// <summary>Output only. Equal hashes sound equal: a roll-back has the hash of the old revision.</summary>
        public string ContentHash = "";
        /// <summary>
        /// Output only. What a fine-tuned voice changes in the model, by the sha256 of the part: in the language model (an
        /// adapter of low rank), in the codec's decoder. Empty: nothing.
        /// </summary>
        public string Lora = "";
        public string CodecDelta = "";
        /// <summary>Output only. The report on the recordings that it was fine-tuned on, by its sha256; ExportVoice has it.</summary>
        public string Report = "";

        public static Voice Parse(ArraySegment<byte> data)
        {
            var message = new Voice();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(DisplayName)) output.String(18, DisplayName);
            output.Map(26, Labels);
            if (!string.IsNullOrEmpty(Etag)) output.String(34, Etag);
            if (Revision != 0) output.Int32(40, Revision);
            if (CreateTime != null) output.Message(50, CreateTime);
            if (UpdateTime != null) output.Message(58, UpdateTime);
            if (Source != 0) output.Int32(64, (int)Source);
            if (Embedding != null) output.Message(74, Embedding);
            if (!string.IsNullOrEmpty(Tag)) output.String(82, Tag);
            if (!string.IsNullOrEmpty(Licence)) output.String(90, Licence);
            if (Consent != null) output.Message(98, Consent);
            for (var i = 0; i < Parents.Count; i++) output.Message(106, Parents[i]);
            if (NumClips != 0) output.Int32(112, NumClips);
            if (!string.IsNullOrEmpty(ContentHash)) output.String(122, ContentHash);
            if (!string.IsNullOrEmpty(Lora)) output.String(130, Lora);
            if (!string.IsNullOrEmpty(CodecDelta)) output.String(138, CodecDelta);
            if (!string.IsNullOrEmpty(Report)) output.String(146, Report);
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
                    case 26: input.MapEntry(Labels); break;
                    case 34: Etag = input.String(); break;
                    case 40: Revision = input.Int32(); break;
                    case 50: { var part = CreateTime ?? new Timestamp(); input.Message(part); CreateTime = part; break; }
                    case 58: { var part = UpdateTime ?? new Timestamp(); input.Message(part); UpdateTime = part; break; }
                    case 64: Source = (VoiceSource)input.Int32(); break;
                    case 74: { var part = Embedding ?? new Embedding(); input.Message(part); Embedding = part; break; }
                    case 82: Tag = input.String(); break;
                    case 90: Licence = input.String(); break;
                    case 98: { var part = Consent ?? new Consent(); input.Message(part); Consent = part; break; }
                    case 106: { var item = new BlendShare(); input.Message(item); Parents.Add(item); break; }
                    case 112: NumClips = input.Int32(); break;
                    case 122: ContentHash = input.String(); break;
                    case 130: Lora = input.String(); break;
                    case 138: CodecDelta = input.String(); break;
                    case 146: Report = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateVoiceRequest : IWireMessage
    {
        public Voice Voice;
        /// <summary>Any text of your own: a call that is repeated with it (its answer was lost) gets the voice that the first one made.</summary>
        public string RequestId = "";

        public static CreateVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new CreateVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
            if (!string.IsNullOrEmpty(RequestId)) output.String(18, RequestId);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    case 18: RequestId = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class CreateVoiceResponse : IWireMessage
    {
        public Voice Voice;

        public static CreateVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new CreateVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetVoiceRequest : IWireMessage
    {
        public string Id = "";

        public static GetVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new GetVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetVoiceResponse : IWireMessage
    {
        public Voice Voice;

        public static GetVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new GetVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListVoicesRequest : IWireMessage
    {
        /// <summary>0 is 100; at most 500.</summary>
        public int PageSize;
        /// <summary>The `next_page_token` of the page before.</summary>
        public string PageToken = "";

        public static ListVoicesRequest Parse(ArraySegment<byte> data)
        {
            var message = new ListVoicesRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (PageSize != 0) output.Int32(8, PageSize);
            if (!string.IsNullOrEmpty(PageToken)) output.String(18, PageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: PageSize = input.Int32(); break;
                    case 18: PageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListVoicesResponse : IWireMessage
    {
        public readonly List<Voice> Voices = new List<Voice>();
        /// <summary>Empty: there is no more.</summary>
        public string NextPageToken = "";

        public static ListVoicesResponse Parse(ArraySegment<byte> data)
        {
            var message = new ListVoicesResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Voices.Count; i++) output.Message(10, Voices[i]);
            if (!string.IsNullOrEmpty(NextPageToken)) output.String(18, NextPageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new Voice(); input.Message(item); Voices.Add(item); break; }
                    case 18: NextPageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateVoiceRequest : IWireMessage
    {
        /// <summary>Its `id` says which; its `etag`, if set, that it must not have changed since.</summary>
        public Voice Voice;
        /// <summary>
        /// What is taken from `voice`: display_name, labels, tag, licence, consent, embedding or parts of them; `*` is all of
        /// these. Empty: those that are set in `voice`.
        /// </summary>
        public FieldMask UpdateMask;

        public static UpdateVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new UpdateVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
            if (UpdateMask != null) output.Message(18, UpdateMask);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    case 18: { var part = UpdateMask ?? new FieldMask(); input.Message(part); UpdateMask = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class UpdateVoiceResponse : IWireMessage
    {
        public Voice Voice;

        public static UpdateVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new UpdateVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class DeleteVoiceRequest : IWireMessage
    {
        public string Id = "";
        public string Etag = "";

        public static DeleteVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new DeleteVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(Etag)) output.String(18, Etag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 18: Etag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class DeleteVoiceResponse : IWireMessage
    {
        public static DeleteVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new DeleteVoiceResponse();
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

    public sealed class ListVoiceRevisionsRequest : IWireMessage
    {
        public string Id = "";
        public int PageSize;
        public string PageToken = "";

        public static ListVoiceRevisionsRequest Parse(ArraySegment<byte> data)
        {
            var message = new ListVoiceRevisionsRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (PageSize != 0) output.Int32(16, PageSize);
            if (!string.IsNullOrEmpty(PageToken)) output.String(26, PageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 16: PageSize = input.Int32(); break;
                    case 26: PageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ListVoiceRevisionsResponse : IWireMessage
    {
        public readonly List<Voice> Voices = new List<Voice>();
        public string NextPageToken = "";

        public static ListVoiceRevisionsResponse Parse(ArraySegment<byte> data)
        {
            var message = new ListVoiceRevisionsResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            for (var i = 0; i < Voices.Count; i++) output.Message(10, Voices[i]);
            if (!string.IsNullOrEmpty(NextPageToken)) output.String(18, NextPageToken);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var item = new Voice(); input.Message(item); Voices.Add(item); break; }
                    case 18: NextPageToken = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetVoiceRevisionRequest : IWireMessage
    {
        public string Id = "";
        public int Revision;

        public static GetVoiceRevisionRequest Parse(ArraySegment<byte> data)
        {
            var message = new GetVoiceRevisionRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (Revision != 0) output.Int32(16, Revision);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 16: Revision = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class GetVoiceRevisionResponse : IWireMessage
    {
        public Voice Voice;

        public static GetVoiceRevisionResponse Parse(ArraySegment<byte> data)
        {
            var message = new GetVoiceRevisionResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class RollBackVoiceRequest : IWireMessage
    {
        public string Id = "";
        /// <summary>The one that the voice shall sound like again.</summary>
        public int Revision;
        public string Etag = "";

        public static RollBackVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new RollBackVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (Revision != 0) output.Int32(16, Revision);
            if (!string.IsNullOrEmpty(Etag)) output.String(26, Etag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 16: Revision = input.Int32(); break;
                    case 26: Etag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class RollBackVoiceResponse : IWireMessage
    {
        public Voice Voice;

        public static RollBackVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new RollBackVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class EnrollVoiceRequest : IWireMessage
    {
        /// <summary>Its id, display_name, labels, tag, licence and consent.</summary>
        public Voice Voice;
        /// <summary>Files: WAV, FLAC, OGG or MP3, any rate, mono or stereo, 1 to 60 s each, all of one speaker. At most 32.</summary>
        public readonly List<ArraySegment<byte>> Clips = new List<ArraySegment<byte>>();
        /// <summary>
        /// Keeps the recordings in the store, so that ReembedVoice can use them. They are never sent out unless ExportVoice is
        /// asked for them.
        /// </summary>
        public bool KeepClips;
        /// <summary>As in CreateVoiceRequest.</summary>
        public string RequestId = "";
        /// <summary>Makes the next revision of a voice that is there already; of `voice`, what is not set stays as it is.</summary>
        public bool Revise;

        public static EnrollVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new EnrollVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
            for (var i = 0; i < Clips.Count; i++) output.Bytes(18, Clips[i]);
            if (KeepClips) output.Bool(24, KeepClips);
            if (!string.IsNullOrEmpty(RequestId)) output.String(34, RequestId);
            if (Revise) output.Bool(40, Revise);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    case 18: Clips.Add(input.Bytes()); break;
                    case 24: KeepClips = input.Bool(); break;
                    case 34: RequestId = input.String(); break;
                    case 40: Revise = input.Bool(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ClipReport : IWireMessage
    {
        public double DurationS;
        public double SpeechS;
        public int SampleRateHz;
        public int Channels;
        public string FileFormat = "";
        /// <summary>Of the loud parts.</summary>
        public double LevelDbfs;
        public double ClippedShare;
        /// <summary>Cosine to the embedding that all clips gave together.</summary>
        public double Likeness;
        /// <summary>Least cosine of neighbouring stretches; 1 where the clip is too short to have two.</summary>
        public double Steadiness;

        public static ClipReport Parse(ArraySegment<byte> data)
        {
            var message = new ClipReport();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (BitConverter.DoubleToInt64Bits(DurationS) != 0) output.Double(9, DurationS);
            if (BitConverter.DoubleToInt64Bits(SpeechS) != 0) output.Double(17, SpeechS);
            if (SampleRateHz != 0) output.Int32(24, SampleRateHz);
            if (Channels != 0) output.Int32(32, Channels);
            if (!string.IsNullOrEmpty(FileFormat)) output.String(42, FileFormat);
            if (BitConverter.DoubleToInt64Bits(LevelDbfs) != 0) output.Double(49, LevelDbfs);
            if (BitConverter.DoubleToInt64Bits(ClippedShare) != 0) output.Double(57, ClippedShare);
            if (BitConverter.DoubleToInt64Bits(Likeness) != 0) output.Double(65, Likeness);
            if (BitConverter.DoubleToInt64Bits(Steadiness) != 0) output.Double(73, Steadiness);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 9: DurationS = input.Double(); break;
                    case 17: SpeechS = input.Double(); break;
                    case 24: SampleRateHz = input.Int32(); break;
                    case 32: Channels = input.Int32(); break;
                    case 42: FileFormat = input.String(); break;
                    case 49: LevelDbfs = input.Double(); break;
                    case 57: ClippedShare = input.Double(); break;
                    case 65: Likeness = input.Double(); break;
                    case 73: Steadiness = input.Double(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class EnrollVoiceResponse : IWireMessage
    {
        public Voice Voice;
        /// <summary>What was found in each clip.</summary>
        public readonly List<ClipReport> Clips = new List<ClipReport>();

        public static EnrollVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new EnrollVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
            for (var i = 0; i < Clips.Count; i++) output.Message(18, Clips[i]);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    case 18: { var item = new ClipReport(); input.Message(item); Clips.Add(item); break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class BlendVoicesRequest : IWireMessage
    {
        /// <summary>
        /// Its id, display_name, labels, tag, licence and, if it shall have one of its own, consent. Its licence is this one and
        /// those of the voices, joined by AND.
        /// </summary>
        public Voice Voice;
        /// <summary>2 to 16, all of one embedding space.</summary>
        public readonly List<BlendShare> Shares = new List<BlendShare>();
        public string RequestId = "";

        public static BlendVoicesRequest Parse(ArraySegment<byte> data)
        {
            var message = new BlendVoicesRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
            for (var i = 0; i < Shares.Count; i++) output.Message(18, Shares[i]);
            if (!string.IsNullOrEmpty(RequestId)) output.String(26, RequestId);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    case 18: { var item = new BlendShare(); input.Message(item); Shares.Add(item); break; }
                    case 26: RequestId = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class BlendVoicesResponse : IWireMessage
    {
        public Voice Voice;

        public static BlendVoicesResponse Parse(ArraySegment<byte> data)
        {
            var message = new BlendVoicesResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ReembedVoiceRequest : IWireMessage
    {
        public string Id = "";
        public string Etag = "";

        public static ReembedVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new ReembedVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(Etag)) output.String(18, Etag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 18: Etag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ReembedVoiceResponse : IWireMessage
    {
        public Voice Voice;

        public static ReembedVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new ReembedVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ExportVoiceRequest : IWireMessage
    {
        /// <summary>`id`, or `id@revision`.</summary>
        public string Voice = "";
        /// <summary>With the recordings that were kept.</summary>
        public bool WithClips;

        public static ExportVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new ExportVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Voice)) output.String(10, Voice);
            if (WithClips) output.Bool(16, WithClips);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Voice = input.String(); break;
                    case 16: WithClips = input.Bool(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ExportVoiceResponse : IWireMessage
    {
        /// <summary>A safetensors file. At most 32 MiB.</summary>
        public ArraySegment<byte> Bundle;
        /// <summary>What it is usually called.</summary>
        public string FileName = "";

        public static ExportVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new ExportVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Bundle.Count != 0) output.Bytes(10, Bundle);
            if (!string.IsNullOrEmpty(FileName)) output.String(18, FileName);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Bundle = input.Bytes(); break;
                    case 18: FileName = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ImportVoiceRequest : IWireMessage
    {
        /// <summary>A file of ExportVoice, or a published `.pt` voice.</summary>
        public ArraySegment<byte> Bundle;
        /// <summary>Not set: the id in the file, which a `.pt` file does not have.</summary>
        public string Id = "";
        public Consent Consent;
        /// <summary>Of a `.pt` file: the encoder that made it.</summary>
        public string Space = "";
        public string RequestId = "";
        /// <summary>
        /// Makes the next revision of a voice that is there already: it sounds as the file's does. What neither the file nor the
        /// request says of it (name, labels, licence, consent) stays as it is.
        /// </summary>
        public bool Revise;
        /// <summary>With `revise`: only if the voice still has it.</summary>
        public string Etag = "";

        public static ImportVoiceRequest Parse(ArraySegment<byte> data)
        {
            var message = new ImportVoiceRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Bundle.Count != 0) output.Bytes(10, Bundle);
            if (!string.IsNullOrEmpty(Id)) output.String(18, Id);
            if (Consent != null) output.Message(26, Consent);
            if (!string.IsNullOrEmpty(Space)) output.String(34, Space);
            if (!string.IsNullOrEmpty(RequestId)) output.String(42, RequestId);
            if (Revise) output.Bool(48, Revise);
            if (!string.IsNullOrEmpty(Etag)) output.String(58, Etag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Bundle = input.Bytes(); break;
                    case 18: Id = input.String(); break;
                    case 26: { var part = Consent ?? new Consent(); input.Message(part); Consent = part; break; }
                    case 34: Space = input.String(); break;
                    case 42: RequestId = input.String(); break;
                    case 48: Revise = input.Bool(); break;
                    case 58: Etag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class ImportVoiceResponse : IWireMessage
    {
        public Voice Voice;

        public static ImportVoiceResponse Parse(ArraySegment<byte> data)
        {
            var message = new ImportVoiceResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class RevokeConsentRequest : IWireMessage
    {
        /// <summary>The voice.</summary>
        public string Id = "";
        public string Etag = "";

        public static RevokeConsentRequest Parse(ArraySegment<byte> data)
        {
            var message = new RevokeConsentRequest();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (!string.IsNullOrEmpty(Id)) output.String(10, Id);
            if (!string.IsNullOrEmpty(Etag)) output.String(18, Etag);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: Id = input.String(); break;
                    case 18: Etag = input.String(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public sealed class RevokeConsentResponse : IWireMessage
    {
        public Voice Voice;

        public static RevokeConsentResponse Parse(ArraySegment<byte> data)
        {
            var message = new RevokeConsentResponse();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Voice != null) output.Message(10, Voice);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 10: { var part = Voice ?? new Voice(); input.Message(part); Voice = part; break; }
                    default: input.Skip(tag); break;
                }
            }
        }
    }

    public static class VoiceService
    {
        /// <summary>Makes a voice of an embedding. Recordings go to EnrollVoice.</summary>
        public static readonly UnaryMethod<CreateVoiceRequest, CreateVoiceResponse> CreateVoice =
            new UnaryMethod<CreateVoiceRequest, CreateVoiceResponse>("/kani_npc.v1.VoiceService/CreateVoice", CreateVoiceResponse.Parse);

        public static readonly UnaryMethod<GetVoiceRequest, GetVoiceResponse> GetVoice =
            new UnaryMethod<GetVoiceRequest, GetVoiceResponse>("/kani_npc.v1.VoiceService/GetVoice", GetVoiceResponse.Parse);

        /// <summary>By id, those of the model among them.</summary>
        public static readonly UnaryMethod<ListVoicesRequest, ListVoicesResponse> ListVoices =
            new UnaryMethod<ListVoicesRequest, ListVoicesResponse>("/kani_npc.v1.VoiceService/ListVoices", ListVoicesResponse.Parse);

        public static readonly UnaryMethod<UpdateVoiceRequest, UpdateVoiceResponse> UpdateVoice =
            new UnaryMethod<UpdateVoiceRequest, UpdateVoiceResponse>("/kani_npc.v1.VoiceService/UpdateVoice", UpdateVoiceResponse.Parse);

        /// <summary>With its revisions and recordings. Running lines end as they are.</summary>
        public static readonly UnaryMethod<DeleteVoiceRequest, DeleteVoiceResponse> DeleteVoice =
            new UnaryMethod<DeleteVoiceRequest, DeleteVoiceResponse>("/kani_npc.v1.VoiceService/DeleteVoice", DeleteVoiceResponse.Parse);

        /// <summary>Newest first.</summary>
        public static readonly UnaryMethod<ListVoiceRevisionsRequest, ListVoiceRevisionsResponse> ListVoiceRevisions =
            new UnaryMethod<ListVoiceRevisionsRequest, ListVoiceRevisionsResponse>("/kani_npc.v1.VoiceService/ListVoiceRevisions", ListVoiceRevisionsResponse.Parse);

        public static readonly UnaryMethod<GetVoiceRevisionRequest, GetVoiceRevisionResponse> GetVoiceRevision =
            new UnaryMethod<GetVoiceRevisionRequest, GetVoiceRevisionResponse>("/kani_npc.v1.VoiceService/GetVoiceRevision", GetVoiceRevisionResponse.Parse);

        /// <summary>A new revision that sounds as an old one did. What is allowed stays as it is now: a roll-back brings no consent back.</summary>
        public static readonly UnaryMethod<RollBackVoiceRequest, RollBackVoiceResponse> RollBackVoice =
            new UnaryMethod<RollBackVoiceRequest, RollBackVoiceResponse>("/kani_npc.v1.VoiceService/RollBackVoice", RollBackVoiceResponse.Parse);

        /// <summary>Makes a voice of recordings. At most 32 MiB.</summary>
        public static readonly UnaryMethod<EnrollVoiceRequest, EnrollVoiceResponse> EnrollVoice =
            new UnaryMethod<EnrollVoiceRequest, EnrollVoiceResponse>("/kani_npc.v1.VoiceService/EnrollVoice", EnrollVoiceResponse.Parse);

        /// <summary>Makes a voice of several: the mean of their embeddings on the unit sphere.</summary>
        public static readonly UnaryMethod<BlendVoicesRequest, BlendVoicesResponse> BlendVoices =
            new UnaryMethod<BlendVoicesRequest, BlendVoicesResponse>("/kani_npc.v1.VoiceService/BlendVoices", BlendVoicesResponse.Parse);

        /// <summary>Embeds the recordings that a voice kept once more, with the encoder that the server has now.</summary>
        public static readonly UnaryMethod<ReembedVoiceRequest, ReembedVoiceResponse> ReembedVoice =
            new UnaryMethod<ReembedVoiceRequest, ReembedVoiceResponse>("/kani_npc.v1.VoiceService/ReembedVoice", ReembedVoiceResponse.Parse);

        /// <summary>The voice as one file. A voice that must not speak is not exported either; consent does not travel.</summary>
        public static readonly UnaryMethod<ExportVoiceRequest, ExportVoiceResponse> ExportVoice =
            new UnaryMethod<ExportVoiceRequest, ExportVoiceResponse>("/kani_npc.v1.VoiceService/ExportVoice", ExportVoiceResponse.Parse);

        /// <summary>
        /// Makes a voice of such a file, or of a published `.pt` file. At most 32 MiB. Adapters in it that the model cannot
        /// speak with are refused (FAILED_PRECONDITION, ADAPTER_UNFIT).
        /// </summary>
        public static readonly UnaryMethod<ImportVoiceRequest, ImportVoiceResponse> ImportVoice =
            new UnaryMethod<ImportVoiceRequest, ImportVoiceResponse>("/kani_npc.v1.VoiceService/ImportVoice", ImportVoiceResponse.Parse);

        /// <summary>
        /// Ends the consent for all revisions of a voice, and its running lines within a second, on every server that shares
        /// the store.
        /// </summary>
        public static readonly UnaryMethod<RevokeConsentRequest, RevokeConsentResponse> RevokeConsent =
            new UnaryMethod<RevokeConsentRequest, RevokeConsentResponse>("/kani_npc.v1.VoiceService/RevokeConsent", RevokeConsentResponse.Parse);
    }
}
