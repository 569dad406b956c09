// The component, in an engine of a page: pictures every 16 ms, an audio thread with its own clock.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using KaniNpc;
using KaniNpc.Unity;
using KaniNpc.V1;
using UnityEngine;

public static class Voice
{
    /// <summary>One character in a scene that runs until it is disposed.</summary>
    private sealed class Scene : IDisposable
    {
        internal readonly GameObject Guard = new GameObject();
        internal readonly AudioSource Source;
        internal readonly NpcVoice Voice;
        internal readonly List<float> Sound = new List<float>();
        internal readonly List<string> Events = new List<string>();
        internal readonly List<float> Openness = new List<float>();
        internal Exception Error;
        internal SpeechEnd End;
        private readonly Thread _audio;
        private volatile bool _isOver;

        internal Scene(AudioDriverKind driver)
        {
            Source = Guard.AddComponent<AudioSource>();
            Voice = Guard.AddComponent<NpcVoice>();
            var settings = ScriptableObject.CreateInstance<KaniNpcSettings>();
            settings.Connect(Check.Arguments[1]);
            Voice.Settings = settings;
            Voice.Driver = driver;
            Voice.Started += header => Events.Add("started");
            Voice.Ended += end => { End = end; Events.Add(end == null ? "stopped" : "ended"); };
            Voice.Failed += error => { Error = error; Events.Add("failed"); };
            Voice.Mouth += (openness, weights) => Openness.Add(openness);
            int rate = driver == AudioDriverKind.Clip ? 22050 : AudioSettings.outputSampleRate;
            _audio = new Thread(() => Hear(rate)) { IsBackground = true };
            _audio.Start();
        }

        private void Hear(int rate)
        {
            var mono = new float[512];
            var interleaved = new float[1024];
            var clock = Stopwatch.StartNew();
            for (long buffers = 1; !_isOver; buffers++)
            {
                Source.Render(mono, interleaved);
                lock (Sound) Sound.AddRange(mono);
                while (clock.Elapsed.TotalSeconds < buffers * 512.0 / rate) Thread.Sleep(1);
            }
        }

        internal void Until(Func<bool> isSo, string what)
        {
            var clock = Stopwatch.StartNew();
            while (!isSo())
            {
                Guard.Send("Update");
                Check.That(clock.Elapsed.TotalSeconds < 60, "never: " + what + " (" + string.Join(" ", Events) + ") " + Error);
                Thread.Sleep(16);
            }
        }

        internal int Sounding() { lock (Sound) return Sound.Count(s => s != 0); }

        public void Dispose()
        {
            _isOver = true;
            _audio.Join();
            Guard.Send("OnDisable");
            Voice.Settings.Connect("http://nobody");
        }
    }

    private static SynthesizeRequest Line(int frames)
    {
        return new SynthesizeRequest
        {
            Text = "Halt! Who goes there?",
            Visemes = true,
            Sampling = new KaniNpc.V1.Sampling { MinFrames = frames, MaxFrames = frames },
        };
    }

    private static void SpeaksToTheEnd(AudioDriverKind driver)
    {
        using (var scene = new Scene(driver))
        {
            SpokenLine line = scene.Voice.Speak(Line(25));
            Check.That(scene.Voice.IsSpeaking, "speaking");
            scene.Until(() => !scene.Voice.IsSpeaking, "an end");
            Check.Equal("started ended", string.Join(" ", scene.Events), "events");
            Check.Equal(25 * 1764L, scene.End.TotalSamples, "samples");
            Check.Equal(25 * 1764L, line.Player.SamplesPlayed, "played");
            double share = driver == AudioDriverKind.Clip ? 1 : 48000 / 22050.0;
            Check.That(scene.Sounding() > 0.8 * share * 25 * 1764, scene.Sounding() + " samples sound");
            int before = scene.Sounding();
            Thread.Sleep(100);
            Check.Equal(before, scene.Sounding(), "silent afterwards");
            Check.That(scene.Openness.Count > 20, scene.Openness.Count + " pictures");
        }
    }

    public static void SpeaksThroughAClip() { SpeaksToTheEnd(AudioDriverKind.Clip); }

    public static void SpeaksThroughAFilter() { SpeaksToTheEnd(AudioDriverKind.Filter); }

    public static void StopIsSilentAtOnceAndOnTheServerToo()
    {
        using (var scene = new Scene(AudioDriverKind.Clip))
        {
            scene.Voice.Speak(Line(60));
            scene.Until(() => scene.Sounding() > 5000, "sound");
            scene.Voice.Stop();
            Check.Equal("started stopped", string.Join(" ", scene.Events), "events");
            Thread.Sleep(50);
            int before = scene.Sounding();
            Thread.Sleep(200);
            Check.Equal(before, scene.Sounding(), "silent");
            SpeechClient client = scene.Voice.Settings.Client;
            Check.Soon(() => client.ServerInfo(CancellationToken.None).Result.Capacity.Active == 0, "a free slot");
            scene.Voice.Stop(); // nothing to stop
        }
    }

    public static void ANewLineTakesThePlaceOfTheOldOne()
    {
        using (var scene = new Scene(AudioDriverKind.Clip))
        {
            scene.Voice.Speak(Line(60));
            scene.Until(() => scene.Sounding() > 2000, "sound");
            SpokenLine second = scene.Voice.Speak(Line(10));
            scene.Until(() => !scene.Voice.IsSpeaking, "an end");
            Check.Equal("started stopped started ended", string.Join(" ", scene.Events), "events");
            Check.Equal(10 * 1764L, second.Player.SamplesPlayed, "played");
        }
    }

    public static void ACharacterThatIsDisabledFallsSilent()
    {
        using (var scene = new Scene(AudioDriverKind.Filter))
        {
            SpokenLine line = scene.Voice.Speak(Line(60));
            scene.Until(() => scene.Sounding() > 2000, "sound");
            scene.Guard.Send("OnDisable");
            Check.That(!scene.Voice.IsSpeaking, "silent");
            Check.Soon(() => line.Received.IsCompleted, "the call's end");
        }
    }

    public static void AnErrorIsToldOnceOnTheMainThread()
    {
        using (var scene = new Scene(AudioDriverKind.Clip))
        {
            int main = Thread.CurrentThread.ManagedThreadId, told = 0;
            scene.Voice.Failed += error => told = Thread.CurrentThread.ManagedThreadId;
            scene.Voice.Npc = "nobody";
            scene.Voice.Speak("Halt!");
            scene.Until(() => !scene.Voice.IsSpeaking, "an end");
            Check.Equal("failed", string.Join(" ", scene.Events), "events");
            Check.Equal(StatusCode.NotFound, ((RpcException)scene.Error).Code, "code");
            Check.Equal(main, told, "thread");
        }
    }

    public static void TheMouthMovesWithTheSoundAndClosesAfterIt()
    {
        using (var scene = new Scene(AudioDriverKind.Clip))
        {
            scene.Voice.Speak(Line(25));
            scene.Until(() => !scene.Voice.IsSpeaking, "an end");
            Check.That(scene.Openness.Max() > 0.05 && scene.Openness.Distinct().Count() > 10, "moved: " + scene.Openness.Max());
            Check.Equal(0f, scene.Voice.MouthOpenness, "closed");
            Check.Equal(1f, scene.Voice.Weight(Viseme.Sil), "closed");
        }
    }
}
