// One line between the network and the audio thread: what is played when, and what is heard when nothing is there.
using System;
using System.Threading;
using System.Threading.Tasks;

namespace KaniNpc
{
    public enum PlayerState
    {
        /// <summary>Waiting for enough sound to start, or to go on after an underrun. Silent.</summary>
        Buffering,
        Playing,
        /// <summary>All was played, or it was stopped. Silent for ever.</summary>
        Finished,
    }

    /// <summary>
    /// `Begin`, `Write` and `Complete` belong to one thread (the network's), `Read` to another (the audio thread, on which
    /// nothing is allocated and nobody is waited for); the rest may be asked anywhere. Never stale sound: what is missing is
    /// silence, and edges are faded.
    /// </summary>
    public sealed class SpeechPlayer
    {
        private const int Capacity = 1 << 18; // 5.4 s at 48 kHz: twice what a server sends ahead
        private const int Chunk = 512;
        private const double FadeSeconds = 0.008;

        private readonly PcmRing _ring = new PcmRing(Capacity);
        private readonly float[] _input = new float[Chunk * 8]; // enough down to an eighth of the rate
        private readonly float[] _output = new float[Chunk];
        private readonly int _outputRate;
        private Resampler _resampler;
        private int _rate;
        private int _prebuffer;
        private int _fade;
        private bool _isBegun, _isComplete, _isStopped;
        private int _state;
        private long _played, _underruns;
        private int _tail;
        private float _gain;

        /// <summary>`outputRate` is that of `Read`; 0 where it is the stream's own.</summary>
        public SpeechPlayer(int outputRate)
        {
            _outputRate = outputRate;
        }

        public PlayerState State { get { return (PlayerState)Volatile.Read(ref _state); } }
        /// <summary>The stream's rate; 0 before `Begin`.</summary>
        public int SampleRate { get { return Volatile.Read(ref _rate); } }
        /// <summary>Of the line, at the stream's rate: the clock that `SpeechTiming` counts by.</summary>
        public long SamplesPlayed { get { return Volatile.Read(ref _played); } }
        /// <summary>How often sound was missing in the middle of the line.</summary>
        public long Underruns { get { return Volatile.Read(ref _underruns); } }
        public int SamplesWaiting { get { return _ring.Count; } }

        /// <summary>Playback starts with so much sound in hand.</summary>
        public void Begin(int sampleRate, double prebufferSeconds)
        {
            if (sampleRate < 4000 || sampleRate > 192000) throw new ArgumentOutOfRangeException("sampleRate");
            _prebuffer = Math.Min((int)(sampleRate * prebufferSeconds), Capacity / 2);
            int heard = _outputRate == 0 ? sampleRate : _outputRate;
            _fade = Math.Max(1, (int)(FadeSeconds * heard));
            if (heard != sampleRate) _resampler = new Resampler(sampleRate, heard);
            Volatile.Write(ref _rate, sampleRate);
            Volatile.Write(ref _isBegun, true);
        }

        /// <summary>Little-endian 16-bit samples. Waits while there is no room, so that a paused game stops its stream.</summary>
        public async Task Write(ArraySegment<byte> data, CancellationToken cancel)
        {
            int offset = data.Offset, left = data.Count / 2;
            while (true)
            {
                int taken = _ring.WriteLinear16(data.Array, offset, left);
                offset += 2 * taken;
                left -= taken;
                if (left == 0 || State == PlayerState.Finished) return;
                await Task.Delay(20, cancel).ConfigureAwait(false);
            }
        }

        /// <summary>No more comes.</summary>
        public void Complete() { Volatile.Write(ref _isComplete, true); }

        /// <summary>Fades out now. Any thread.</summary>
        public void Stop() { Volatile.Write(ref _isStopped, true); }

        /// <summary>Fills `data`, frames of `channels` equal samples, with speech or silence.</summary>
        public void Read(float[] data, int channels)
        {
            int frames = data.Length / channels, done = 0;
            while (done < frames)
            {
                int count = Math.Min(Chunk, frames - done);
                ReadMono(count);
                for (int i = 0, at = done * channels; i < count; i++)
                    for (int channel = 0; channel < channels; channel++) data[at++] = _output[i];
                done += count;
            }
        }

        /// <summary>As `Read`, but what is in `data` becomes as loud as the speech: ones become the speech itself.</summary>
        public void Modulate(float[] data, int channels)
        {
            int frames = data.Length / channels, done = 0;
            while (done < frames)
            {
                int count = Math.Min(Chunk, frames - done);
                ReadMono(count);
                for (int i = 0, at = done * channels; i < count; i++)
                    for (int channel = 0; channel < channels; channel++) data[at++] *= _output[i];
                done += count;
            }
        }

        private void ReadMono(int count)
        {
            int speech = 0;
            if (State == PlayerState.Buffering) StartIfReady();
            if (State == PlayerState.Playing) speech = Play(count);
            Array.Clear(_output, speech, count - speech);
        }

        private void StartIfReady()
        {
            if (Volatile.Read(ref _isStopped))
            {
                Volatile.Write(ref _state, (int)PlayerState.Finished);
                return;
            }
            if (!Volatile.Read(ref _isBegun)) return;
            // In this order: what was written before the end was announced is seen behind it.
            bool isComplete = Volatile.Read(ref _isComplete);
            if (_ring.Count < _prebuffer && !isComplete) return;
            _gain = _played == 0 ? 1 : 0; // a line's own beginning needs no fade
            Volatile.Write(ref _state, (int)PlayerState.Playing);
        }

        private int Play(int count)
        {
            bool isComplete = Volatile.Read(ref _isComplete), isStopped = Volatile.Read(ref _isStopped);
            int available = _ring.Count;
            int wanted = _resampler == null ? count : _resampler.InputFor(count);
            int given = count;
            PlayerState next = PlayerState.Playing;
            if (available < wanted && isComplete)
            {
                // The last of it, and for the resampler the silence that pushes it out.
                if (_resampler == null) given = available;
                else while (given > 0 && _resampler.InputFor(given) > available + Resampler.Tail - _tail) given--;
                next = given < count ? PlayerState.Finished : PlayerState.Playing;
            }
            else if (available < wanted)
            {
                given = available;
                if (_resampler != null) while (given > 0 && _resampler.InputFor(given) > available) given--;
                next = PlayerState.Buffering;
                Volatile.Write(ref _underruns, _underruns + 1);
            }
            Take(given, available);
            Fade(given, isStopped, next);
            if (isStopped && _gain <= 0) next = PlayerState.Finished;
            if (next != PlayerState.Playing) Volatile.Write(ref _state, (int)next);
            return given;
        }

        private void Take(int given, int available)
        {
            int input = _resampler == null ? given : _resampler.InputFor(given);
            float[] to = _resampler == null ? _output : _input;
            int read = _ring.Read(to, 0, Math.Min(input, available));
            Array.Clear(to, read, input - read);
            _tail += input - read;
            if (_resampler != null) _resampler.Process(_input, 0, _output, 0, given);
            Volatile.Write(ref _played, _played + read);
        }

        private void Fade(int given, bool isStopped, PlayerState next)
        {
            // Before silence that is not the line's own, down over what is there; after it, up.
            float step = 1f / _fade;
            int downFrom = next == PlayerState.Buffering ? Math.Max(0, given - _fade) : given;
            for (int i = 0; i < given; i++)
            {
                if (isStopped) _gain = Math.Max(0, _gain - step);
                else if (i >= downFrom) _gain = Math.Min(_gain, (float)(given - 1 - i) / (given - downFrom));
                else if (_gain < 1) _gain = Math.Min(1, _gain + step);
                _output[i] *= _gain;
            }
        }
    }
}
