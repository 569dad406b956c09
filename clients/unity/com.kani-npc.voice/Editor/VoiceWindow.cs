// Window > Kani NPC Voices: who can speak, and how it sounds.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using KaniNpc.Unity;
using KaniNpc.V1;
using UnityEditor;
using UnityEngine;

namespace KaniNpc.Editor
{
    public sealed class VoiceWindow : EditorWindow
    {
        private static readonly CallOptions Quick = new CallOptions { Timeout = TimeSpan.FromSeconds(10) };

        private readonly List<string> _names = new List<string>();
        private readonly List<string> _ids = new List<string>();
        private KaniNpcSettings _settings;
        private GameObject _speaker;
        private Task _running;
        private Action _then;
        private int _chosen;
        private string _text = "Halt! Who goes there?";
        private string _message = "";
        private Vector2 _scroll;

        [MenuItem("Window/Kani NPC Voices")]
        private static void Open() { GetWindow<VoiceWindow>("Kani NPC Voices"); }

        private void OnGUI()
        {
            _settings = (KaniNpcSettings)EditorGUILayout.ObjectField("Settings", _settings, typeof(KaniNpcSettings), false);
            using (new EditorGUI.DisabledScope(_settings == null || _running != null))
            {
                if (GUILayout.Button("List voices")) List();
                _scroll = EditorGUILayout.BeginScrollView(_scroll);
                _chosen = GUILayout.SelectionGrid(_chosen, _names.ToArray(), 1);
                EditorGUILayout.EndScrollView();
                _text = EditorGUILayout.TextArea(_text);
                if (GUILayout.Button("Play")) Play();
            }
            if (_message.Length > 0) EditorGUILayout.HelpBox(_message, MessageType.Info);
        }

        // Unity draws windows on its main thread; calls end on others.
        private void Update()
        {
            if (_running == null || !_running.IsCompleted) return;
            Task done = _running;
            _running = null;
            if (done.IsFaulted) _message = done.Exception.GetBaseException().Message;
            else _then();
            Repaint();
        }

        private void Run(Task task, string message, Action then)
        {
            _message = message;
            _then = then;
            _running = task;
        }

        private void List()
        {
            var voices = new List<Voice>();
            Run(ListAll(_settings.Client.Calls, voices), "Asking the server...", () =>
            {
                _ids.Clear();
                _names.Clear();
                foreach (Voice voice in voices)
                {
                    _ids.Add(voice.Id);
                    _names.Add(voice.DisplayName.Length > 0 ? voice.DisplayName + "  (" + voice.Id + ")" : voice.Id);
                }
                _chosen = 0;
                _message = voices.Count + " voices";
            });
        }

        private static async Task ListAll(GrpcWebClient calls, List<Voice> voices)
        {
            var request = new ListVoicesRequest();
            do
            {
                ListVoicesResponse page = await calls.Call(VoiceService.ListVoices, request, Quick, CancellationToken.None)
                    .ConfigureAwait(false);
                voices.AddRange(page.Voices);
                request.PageToken = page.NextPageToken;
            } while (request.PageToken.Length > 0);
        }

        private void Play()
        {
            var heard = new Recording();
            var request = new SynthesizeRequest
            {
                Text = _text,
                Voice = _chosen < _ids.Count ? _ids[_chosen] : "",
                Pace = Pace.Unpaced,
            };
            var options = new CallOptions { Timeout = TimeSpan.FromSeconds(60) };
            Run(_settings.Client.Speak(request, heard, options, CancellationToken.None), "Speaking...", () => Hear(heard));
        }

        private void Hear(Recording heard)
        {
            if (_speaker == null)
            {
                _speaker = EditorUtility.CreateGameObjectWithHideFlags(
                    "Kani NPC preview", HideFlags.HideAndDontSave, typeof(AudioSource));
            }
            float[] samples = heard.Samples();
            AudioClip clip = AudioClip.Create("kani-npc-preview", Math.Max(1, samples.Length), 1, heard.Rate, false);
            clip.SetData(samples, 0);
            var source = _speaker.GetComponent<AudioSource>();
            source.clip = clip;
            source.Play();
            _message = (samples.Length / (float)heard.Rate).ToString("0.0") + " s";
        }

        private void OnDestroy()
        {
            if (_speaker != null) DestroyImmediate(_speaker);
        }

        private sealed class Recording : ISpeechListener
        {
            private readonly MemoryStream _data = new MemoryStream();
            internal int Rate = 1;

            internal float[] Samples()
            {
                byte[] data = _data.ToArray();
                var samples = new float[data.Length / 2];
                for (int i = 0; i < samples.Length; i++)
                    samples[i] = (short)(data[2 * i] | data[2 * i + 1] << 8) * (1f / 32768);
                return samples;
            }

            void ISpeechListener.OnHeader(SpeechHeader header) { Rate = header.SampleRateHz; }

            void ISpeechListener.OnTiming(SpeechTiming timing) { }

            Task ISpeechListener.OnAudio(SpeechAudio audio)
            {
                _data.Write(audio.Data.Array, audio.Data.Offset, audio.Data.Count);
                return null;
            }
        }
    }
}
