// How a line's sound gets into Unity.
using UnityEngine;

namespace KaniNpc.Unity
{
    public enum AudioDriverKind
    {
        /// <summary>A streamed AudioClip: resampled, placed in space and mixed as any other clip; Unity reads a little ahead.</summary>
        Clip,
        /// <summary>Straight into the source's filter: the least delay.</summary>
        Filter,
    }

    internal interface IAudioDriver
    {
        /// <summary>The rate at which it reads a line's player; 0 is the stream's own.</summary>
        int OutputRate { get; }
        /// <summary>Called on the main thread, once the line has a rate.</summary>
        void Play(SpokenLine line);
        void Stop();
        /// <summary>How far the reading is ahead of what is heard, in samples of the line.</summary>
        long SamplesAhead { get; }
    }

    internal sealed class ClipDriver : IAudioDriver
    {
        private readonly AudioSource _source;
        private AudioClip _clip;
        private volatile SpeechPlayer _player;
        private long _read;
        private long _heard;
        private int _lastPosition;

        internal ClipDriver(AudioSource source)
        {
            _source = source;
        }

        public int OutputRate { get { return 0; } }

        public void Play(SpokenLine line)
        {
            Stop();
            _player = line.Player;
            _read = _heard = _lastPosition = 0;
            int rate = line.Player.SampleRate;
            // A loop: the clip's length is how far its positions count, and nothing else.
            _clip = AudioClip.Create("kani-npc", rate, 1, rate, true, OnRead);
            _source.clip = _clip;
            _source.loop = true;
            _source.Play();
        }

        public void Stop()
        {
            _player = null;
            if (_clip == null) return;
            _source.Stop();
            _source.clip = null;
            Object.Destroy(_clip);
            _clip = null;
        }

        public long SamplesAhead
        {
            get
            {
                if (_clip == null) return 0;
                int position = _source.timeSamples;
                int moved = position - _lastPosition;
                _heard += moved >= 0 ? moved : moved + _clip.samples;
                _lastPosition = position;
                return System.Math.Max(0, System.Threading.Volatile.Read(ref _read) - _heard);
            }
        }

        // Unity's audio thread.
        private void OnRead(float[] data)
        {
            SpeechPlayer player = _player;
            if (player == null) System.Array.Clear(data, 0, data.Length);
            else player.Read(data, 1);
            System.Threading.Volatile.Write(ref _read, _read + data.Length);
        }
    }

    /// <summary>Added by NpcVoice, beside the AudioSource whose filter it is.</summary>
    [AddComponentMenu("")]
    internal sealed class FilterDriver : MonoBehaviour, IAudioDriver
    {
        private AudioSource _source;
        private AudioClip _ones;
        private volatile SpeechPlayer _player;

        public int OutputRate { get { return AudioSettings.outputSampleRate; } }
        public long SamplesAhead { get { return 0; } }

        internal void Attach(AudioSource source) { _source = source; }

        public void Play(SpokenLine line)
        {
            if (_ones == null)
            {
                // A source without a clip is not placed in space. This one is, and its ones become the speech.
                var ones = new float[OutputRate / 10];
                for (int i = 0; i < ones.Length; i++) ones[i] = 1;
                _ones = AudioClip.Create("kani-npc-ones", ones.Length, 1, OutputRate, false);
                _ones.SetData(ones, 0);
            }
            _source.clip = _ones;
            _source.loop = true;
            _player = line.Player;
            _source.Play();
        }

        public void Stop()
        {
            _player = null;
            if (_source != null && _source.clip == _ones) _source.Stop();
        }

        // Unity's audio thread.
        private void OnAudioFilterRead(float[] data, int channels)
        {
            SpeechPlayer player = _player;
            if (player == null) System.Array.Clear(data, 0, data.Length);
            else player.Modulate(data, channels);
        }

        private void OnDestroy()
        {
            if (_ones != null) Object.Destroy(_ones);
        }
    }
}
