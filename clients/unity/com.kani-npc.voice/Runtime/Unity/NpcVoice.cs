// The component of a character that speaks.
using System;
using KaniNpc.V1;
using UnityEngine;
using UnityEngine.Events;

namespace KaniNpc.Unity
{
    /// <summary>
    /// `GetComponent&lt;NpcVoice&gt;().Speak("Halt!")`. One line at a time: a new one takes the place of the old one. Main
    /// thread only; events come on it, from `Update`.
    /// </summary>
    [AddComponentMenu("Kani NPC/NPC Voice")]
    [RequireComponent(typeof(AudioSource))]
    public sealed class NpcVoice : MonoBehaviour
    {
        [Serializable]
        public sealed class ErrorEvent : UnityEvent<string> { }

        [SerializeField] private KaniNpcSettings settings;

        [SerializeField, Tooltip("The NPC's id on the server. Empty: the server's default voice.")]
        private string npc = "";

        [SerializeField] private AudioDriverKind driver = AudioDriverKind.Clip;

        [SerializeField, Tooltip("Asks for mouth shapes with the sound.")]
        private bool lipSync = true;

        [SerializeField] private UnityEvent onStarted = new UnityEvent();
        [SerializeField] private UnityEvent onEnded = new UnityEvent();
        [SerializeField] private ErrorEvent onFailed = new ErrorEvent();

        private readonly float[] _weights = new float[TimingTrack.NumVisemes];
        private IAudioDriver _driver;
        private SpokenLine _line;
        private bool _isPlaying;

        /// <summary>A line begins to be received; it is heard `PrebufferSeconds` of sound later.</summary>
        public event Action<SpeechHeader> Started;
        /// <summary>The mouth moved: how open it is, and the 15 weights, which are the component's own and change.</summary>
        public event Action<float, float[]> Mouth;
        /// <summary>The last sound of a line was played, or it was stopped (null).</summary>
        public event Action<SpeechEnd> Ended;
        /// <summary>A line did not come whole; what came of it was played, unless its voice may not be heard any more.</summary>
        public event Action<Exception> Failed;

        public string Npc
        {
            get { return npc; }
            set { npc = value; }
        }

        /// <summary>How its sound gets into Unity. Chosen before the first line; later it is what it is.</summary>
        public AudioDriverKind Driver
        {
            get { return driver; }
            set
            {
                if (_driver != null && value != driver)
                    throw new InvalidOperationException("choose a voice's driver before its first line");
                driver = value;
            }
        }

        public KaniNpcSettings Settings
        {
            get { return settings; }
            set { settings = value; }
        }

        public bool IsSpeaking { get { return _line != null; } }
        /// <summary>0 is a closed mouth, 1 an open one.</summary>
        public float MouthOpenness { get; private set; }
        /// <summary>How often sound was missing in the middle of the running line.</summary>
        public long Underruns { get { return _line == null ? 0 : _line.Player.Underruns; } }

        /// <summary>Of the current picture, 0 to 1.</summary>
        public float Weight(Viseme viseme) { return _weights[(int)viseme]; }

        public SpokenLine Speak(string text)
        {
            return Speak(new SynthesizeRequest { Text = text, Npc = npc, Visemes = lipSync });
        }

        /// <summary>For lines that want more than their text: priority, turn, another voice. Played from LINEAR16.</summary>
        public SpokenLine Speak(SynthesizeRequest request)
        {
            if (settings == null) throw new InvalidOperationException("NpcVoice needs a KaniNpcSettings asset");
            Stop();
            if (_driver == null) _driver = MakeDriver();
            _line = new SpokenLine(
                settings.Client, request, settings.LineOptions, settings.PrebufferSeconds, _driver.OutputRate);
            return _line;
        }

        /// <summary>Silent at once, on the server too. Nothing to stop is fine.</summary>
        public void Stop()
        {
            if (_line == null) return;
            _line.Stop();
            Finish();
        }

        private IAudioDriver MakeDriver()
        {
            var source = GetComponent<AudioSource>();
            if (driver == AudioDriverKind.Clip) return new ClipDriver(source);
            var filter = gameObject.AddComponent<FilterDriver>();
            filter.Attach(source);
            return filter;
        }

        private void Update()
        {
            if (_line == null) return;
            if (!_isPlaying && _line.Header != null)
            {
                _isPlaying = true;
                _driver.Play(_line);
                onStarted.Invoke();
                if (Started != null) Started(_line.Header);
                if (_line == null) return; // who hears that it began may stop it
            }
            MoveMouth(_line.Timing.At(_line.Player.SamplesPlayed - _driver.SamplesAhead, _weights));
            bool isHeard = _isPlaying && (!_line.IsOver || _driver.SamplesAhead > 0 && _line.End != null);
            if (_line.Received.IsCompleted && !isHeard) Finish();
        }

        private void Finish()
        {
            SpokenLine line = _line;
            _line = null;
            _isPlaying = false;
            _driver.Stop();
            Array.Clear(_weights, 0, _weights.Length);
            _weights[(int)Viseme.Sil] = 1;
            MoveMouth(0);
            if (line.Error != null)
            {
                onFailed.Invoke(line.Error.Message);
                if (Failed != null) Failed(line.Error);
            }
            else
            {
                onEnded.Invoke();
                if (Ended != null) Ended(line.End);
            }
        }

        private void MoveMouth(float openness)
        {
            MouthOpenness = openness;
            if (Mouth != null) Mouth(openness, _weights);
        }

        private void OnDisable() { Stop(); }
    }
}
