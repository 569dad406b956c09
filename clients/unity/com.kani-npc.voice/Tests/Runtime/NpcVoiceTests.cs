// A character in a scene, against a server: Test Runner > PlayMode, with `kani-npc serve` running on this machine, or at the
// address in the environment variable KANI_NPC_ADDRESS. Tests that find no server are ignored, and say so.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using KaniNpc.Unity;
using KaniNpc.V1;
using NUnit.Framework;
using UnityEngine;
using UnityEngine.TestTools;
using Object = UnityEngine.Object;

namespace KaniNpc.Tests
{
    public sealed class NpcVoiceTests
    {
        private const string Text = "Halt! Who goes there? Nobody walks this road at night, and nobody ever will.";

        private readonly List<string> _events = new List<string>();
        private readonly List<float> _openness = new List<float>();
        private GameObject _guard;
        private NpcVoice _voice;
        private SpeechEnd _end;
        private RpcException _error;
        private int _mainThread;

        private static string Address
        {
            get { return Environment.GetEnvironmentVariable("KANI_NPC_ADDRESS") ?? "http://127.0.0.1:8051"; }
        }

        [SetUp]
        public void MakeAGuard()
        {
            _events.Clear();
            _openness.Clear();
            _end = null;
            _error = null;
            _mainThread = Thread.CurrentThread.ManagedThreadId;
            _guard = new GameObject("guard");
            _guard.AddComponent<AudioListener>();
            _voice = _guard.AddComponent<NpcVoice>();
            _voice.Settings = ScriptableObject.CreateInstance<KaniNpcSettings>();
            _voice.Settings.Connect(Address);
            _voice.Started += header => Note("started");
            _voice.Ended += end => { _end = end; Note(end == null ? "stopped" : "ended"); };
            _voice.Failed += error => { _error = error as RpcException; Note("failed"); };
            _voice.Mouth += (openness, weights) => _openness.Add(openness);
        }

        [TearDown]
        public void RemoveIt()
        {
            Object.DestroyImmediate(_guard);
        }

        [UnityTest]
        public IEnumerator ALineIsPlayedToItsLastSampleThroughAClip() { return SpeaksToTheEnd(AudioDriverKind.Clip); }

        [UnityTest]
        public IEnumerator ALineIsPlayedToItsLastSampleThroughAFilter() { return SpeaksToTheEnd(AudioDriverKind.Filter); }

        private IEnumerator SpeaksToTheEnd(AudioDriverKind driver)
        {
            NeedsAServer();
            _voice.Driver = driver;
            SpokenLine line = _voice.Speak(Text);
            Assert.IsTrue(_voice.IsSpeaking);
            yield return Until(() => !_voice.IsSpeaking);
            Assert.AreEqual("started ended", string.Join(" ", _events), "" + _error);
            Assert.Greater(_end.TotalSamples, 0);
            Assert.AreEqual(_end.TotalSamples, line.Player.SamplesPlayed);
            UnityEngine.Debug.Log(driver + ": gaps: " + line.Player.Underruns);
            Assert.Greater(_openness.Count, 10, "pictures");
            Assert.Greater(Max(_openness), 0.05f, "the mouth moved");
            Assert.AreEqual(0f, _voice.MouthOpenness, "and is closed");
            Assert.AreEqual(1f, _voice.Weight(Viseme.Sil));
            Assert.Throws<InvalidOperationException>(() => _voice.Driver = AudioDriverKind.Clip + (driver == 0 ? 1 : 0));
        }

        [UnityTest]
        public IEnumerator StopIsTheEndAtOnce()
        {
            NeedsAServer();
            SpokenLine line = _voice.Speak(Text);
            yield return Until(() => line.Player.SamplesPlayed > 2000);
            _voice.Stop();
            Assert.IsFalse(_voice.IsSpeaking);
            Assert.AreEqual("started stopped", string.Join(" ", _events));
            yield return Until(() => line.Received.IsCompleted);
            _voice.Stop(); // nothing to stop
            Assert.AreEqual(2, _events.Count);
        }

        [UnityTest]
        public IEnumerator ANewLineTakesThePlaceOfTheOldOne()
        {
            NeedsAServer();
            SpokenLine first = _voice.Speak(Text);
            yield return Until(() => first.Player.SamplesPlayed > 2000);
            SpokenLine second = _voice.Speak("Halt!");
            yield return Until(() => !_voice.IsSpeaking);
            Assert.AreEqual("started stopped started ended", string.Join(" ", _events), "" + _error);
            Assert.AreEqual(_end.TotalSamples, second.Player.SamplesPlayed);
            Assert.IsTrue(first.Received.IsCompleted);
        }

        [UnityTest]
        public IEnumerator ACharacterThatIsDisabledFallsSilent()
        {
            NeedsAServer();
            SpokenLine line = _voice.Speak(Text);
            yield return Until(() => line.Player.SamplesPlayed > 2000);
            _voice.enabled = false;
            Assert.IsFalse(_voice.IsSpeaking);
            yield return Until(() => line.Received.IsCompleted);
        }

        [UnityTest]
        public IEnumerator AnNpcThatIsNotThereFailsOnceAndOnTheMainThread()
        {
            NeedsAServer();
            _voice.Npc = "nobody-of-this-name";
            _voice.Speak(Text);
            yield return Until(() => !_voice.IsSpeaking);
            Assert.AreEqual("failed", string.Join(" ", _events));
            Assert.AreEqual(StatusCode.NotFound, _error.Code);
        }

        [UnityTest]
        public IEnumerator AServerThatIsNotThereIsUnavailableAfterSomeTries()
        {
            _voice.Settings.Connect("http://127.0.0.1:9");
            _voice.Speak(Text);
            yield return Until(() => !_voice.IsSpeaking);
            Assert.AreEqual("failed", string.Join(" ", _events));
            Assert.AreEqual(StatusCode.Unavailable, _error.Code);
        }

        [Test]
        public void ACharacterWithoutSettingsSaysSo()
        {
            _voice.Settings = null;
            Assert.Throws<InvalidOperationException>(() => _voice.Speak(Text));
        }

        private void NeedsAServer()
        {
            try
            {
                if (_voice.Settings.Client.ServerInfo(CancellationToken.None).Wait(5000)) return;
            }
            catch (AggregateException)
            {
            }
            Assert.Ignore("no kani-npc server at " + Address);
        }

        private void Note(string what)
        {
            Assert.AreEqual(_mainThread, Thread.CurrentThread.ManagedThreadId, "events come on the main thread");
            _events.Add(what);
        }

        private static float Max(List<float> values)
        {
            float max = 0;
            foreach (float value in values) max = Math.Max(max, value);
            return max;
        }

        /// <summary>Generous: a busy machine is no failure.</summary>
        private static IEnumerator Until(Func<bool> isSo)
        {
            var clock = Stopwatch.StartNew();
            while (!isSo())
            {
                Assert.Less(clock.Elapsed.TotalSeconds, 60, "it never comes");
                yield return null;
            }
        }
    }
}
