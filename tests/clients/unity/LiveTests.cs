// The core against a live service: `http://...` is the first argument.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net;
using System.Threading;
using System.Threading.Tasks;
using KaniNpc;
using KaniNpc.V1;

public static class Live
{
    private static readonly CallOptions Patient = new CallOptions { Timeout = TimeSpan.FromSeconds(60) };

    private static SpeechClient Client() { return new SpeechClient(new GrpcWebClient(Check.Arguments[1])); }

    private static SynthesizeRequest Line(string text, int frames = 12)
    {
        return new SynthesizeRequest { Text = text, Sampling = new KaniNpc.V1.Sampling { MinFrames = frames, MaxFrames = frames } };
    }

    private static int Active(SpeechClient client)
    {
        Capacity capacity = client.ServerInfo(CancellationToken.None).Result.Capacity;
        return capacity.Active + capacity.Waiting;
    }

    private sealed class Listener : ISpeechListener
    {
        internal readonly List<byte> Data = new List<byte>();
        internal readonly List<double> Times = new List<double>();
        internal Func<Task> Heard;
        internal SpeechHeader Header;
        internal int Hops;
        private readonly Stopwatch _clock = Stopwatch.StartNew();

        public void OnHeader(SpeechHeader header) { Header = header; }
        public void OnTiming(SpeechTiming timing) { Hops += timing.Openness.Count; }

        public Task OnAudio(SpeechAudio audio)
        {
            Data.AddRange(audio.Data);
            Times.Add(_clock.Elapsed.TotalSeconds);
            return Heard == null ? null : Heard();
        }
    }

    public static void ALineComesWholeAndAsItIsSpoken()
    {
        using (SpeechClient client = Client())
        {
            var listener = new Listener();
            SpeechEnd end = client.Speak(Line("Halt, café!", 40), listener, Patient, CancellationToken.None).Result;
            Check.Equal(40 * 1764L, end.TotalSamples, "samples");
            Check.Equal(end.TotalSamples * 2, (long)listener.Data.Count, "bytes");
            Check.That(listener.Header.Synthetic && listener.Header.SampleRateHz == 22050, "header");
            // 3.2 s of sound, of which the server may be 2 s ahead: it came while it was spoken, not at the end.
            Check.That(listener.Times.Last() - listener.Times.First() > 0.5, "not streamed");
            // The same line is the same sound.
            var again = new Listener();
            client.Speak(Line("Halt, café!", 40), again, Patient, CancellationToken.None).Wait();
            Check.That(again.Data.SequenceEqual(listener.Data), "the same line, the same sound");
        }
    }

    public static void UnaryCallsAnswer()
    {
        using (SpeechClient client = Client())
        {
            GetServerInfoResponse info = client.ServerInfo(CancellationToken.None).Result;
            Check.That(info.Voices.Count > 0 && info.SampleRatesHz.Contains(48000) && info.Model.SampleRateHz == 22050, "info");
            ListVoicesResponse voices = client.Calls.Call(
                VoiceService.ListVoices, new ListVoicesRequest(), Patient, CancellationToken.None).Result;
            Check.That(voices.Voices.Any(v => v.Id == info.DefaultVoice), "the default voice is listed");
            Check.Equal(0, client.Interrupt("nobody", CancellationToken.None).Result.Lines.Count, "nobody to interrupt");
        }
    }

    public static void AnErrorSaysWhatAndWhere()
    {
        using (SpeechClient client = Client())
        {
            var error = Check.Throws<RpcException>(() => client.Speak(
                new SynthesizeRequest { Text = "Halt!", Voice = "nobody-日" }, new Listener(), Patient, CancellationToken.None).Wait());
            Check.That(error.Code == StatusCode.InvalidArgument || error.Code == StatusCode.NotFound, error.Code.ToString());
            Check.That(error.Reason.Length > 0, "reason");
            error = Check.Throws<RpcException>(() => client.Speak(
                new SynthesizeRequest(), new Listener(), Patient, CancellationToken.None).Wait());
            Check.Equal(StatusCode.InvalidArgument, error.Code, "no text");
            Check.Equal("text", error.Field, "field");
        }
    }

    public static void AnOpenLineTakesTextByUnaryCalls()
    {
        using (SpeechClient client = Client())
        {
            var listener = new Listener();
            SynthesizeRequest request = Line("Halt! ", 5);
            request.OpenText = true;
            Task<SpeechEnd> speaking = client.Speak(request, listener, Patient, CancellationToken.None);
            Check.Soon(() => listener.Header != null || speaking.IsFaulted, "a header");
            Check.That(!speaking.IsFaulted, "" + speaking.Exception);
            string id = listener.Header.UtteranceId;
            Check.Equal(1, client.Append(id, 0, "Who goes", false, CancellationToken.None).Result.NextSequence, "next");
            client.Append(id, 1, " there? Speak up.", true, CancellationToken.None).Wait();
            // Three sentences of 5 frames each at most.
            Check.That(speaking.Result.TotalSamples > 5 * 1764, speaking.Result.TotalSamples + " samples");
        }
    }

    public static void CancellingStopsTheServerToo()
    {
        using (SpeechClient client = Client())
        {
            var cancel = new CancellationTokenSource();
            var listener = new Listener();
            Task speaking = client.Speak(Line("Halt!", 60), listener, Patient, cancel.Token);
            Check.Soon(() => listener.Times.Count > 2, "sound");
            cancel.Cancel();
            var clock = Stopwatch.StartNew();
            Check.Throws<OperationCanceledException>(() => speaking.Wait());
            Check.That(clock.Elapsed.TotalSeconds < 2, "cancelled in " + clock.Elapsed.TotalSeconds);
            Check.Soon(() => Active(client) == 0, "a free slot");
            Check.That(clock.Elapsed.TotalSeconds < 3, "the line is 4.8 s long");
        }
    }

    public static void ADeadlineEndsALine()
    {
        using (SpeechClient client = Client())
        {
            var clock = Stopwatch.StartNew();
            var error = Check.Throws<RpcException>(() => client.Speak(
                Line("Halt!", 60), new Listener(), new CallOptions { Timeout = TimeSpan.FromSeconds(1) }, CancellationToken.None).Wait());
            Check.Equal(StatusCode.DeadlineExceeded, error.Code, "code");
            Check.That(clock.Elapsed.TotalSeconds >= 0.9, "early");
            Check.Soon(() => Active(client) == 0, "a free slot");
        }
    }

    public static void ThirtyTwoLinesAtOnceAllComeWhole()
    {
        using (SpeechClient client = Client())
        {
            var alone = new Listener();
            client.Speak(Line("Line 7"), alone, Patient, CancellationToken.None).Wait();
            Listener[] listeners = Enumerable.Range(0, 32).Select(i => new Listener()).ToArray();
            SpeechEnd[] ends = Task.WhenAll(listeners.Select((l, i) => client.Speak(Line("Line " + i), l, Patient, CancellationToken.None))).Result;
            Check.That(ends.All(e => e.TotalSamples == 12 * 1764), "whole");
            Check.That(listeners.All(l => l.Data.Count == 2 * 12 * 1764), "bytes");
            ServicePoint point = ServicePointManager.FindServicePoint(new Uri(Check.Arguments[1]));
            // Loopback has no limit under mono; elsewhere it would be 2 without ours.
            Check.That(point.ConnectionLimit >= 128, "connections");
        }
    }

    /// <summary>The server is killed when this says READY.</summary>
    public static void AServerThatDiesIsUnavailable()
    {
        using (SpeechClient client = Client())
        {
            var listener = new Listener();
            Task speaking = client.Speak(Line("Halt!", 60), listener, Patient, CancellationToken.None);
            Check.Soon(() => listener.Times.Count > 2, "sound");
            Console.WriteLine("READY");
            Console.Out.Flush();
            var error = Check.Throws<RpcException>(() => speaking.Wait());
            Check.Equal(StatusCode.Unavailable, error.Code, "code");
            // Nobody is there at all: tried again, then given up.
            var clock = Stopwatch.StartNew();
            error = Check.Throws<RpcException>(() => client.Speak(Line("Halt!"), listener, Patient, CancellationToken.None).Wait());
            Check.Equal(StatusCode.Unavailable, error.Code, "code");
            Check.That(clock.Elapsed.TotalSeconds > 0.8, "three waits of at least 0.875 s together");
        }
    }

    /// <summary>A server that takes the call and says nothing more.</summary>
    public static void ASilentServerIsGivenUp()
    {
        using (SpeechClient client = Client())
        {
            var error = Check.Throws<RpcException>(() => client.Calls.Call(
                SpeechService.GetServerInfo, new GetServerInfoRequest(),
                new CallOptions { MaxSilence = TimeSpan.FromSeconds(0.5) }, CancellationToken.None).Wait());
            Check.Equal(StatusCode.Unavailable, error.Code, "code");
        }
    }

    public static void ASlowReaderLosesNothing()
    {
        using (SpeechClient client = Client())
        {
            var slow = new Listener { Heard = () => Task.Delay(150) };
            SpeechEnd end = client.Speak(Line("Halt!", 30), slow, Patient, CancellationToken.None).Result;
            Check.Equal(end.TotalSamples * 2, (long)slow.Data.Count, "bytes");
        }
    }

    /// <summary>
    /// An audio thread that takes 512 samples whenever a sound card would, from 120 ms of sound in hand on. A service that
    /// shares its cores with others may be late itself: of five lines one must come without a gap, and all must be whole.
    /// </summary>
    public static void NothingIsMissingOnASimulatedAudioClock()
    {
        using (SpeechClient client = Client())
        {
            foreach (int rate in new[] { 0, 48000 })
            {
                var underruns = new List<long>();
                while (!underruns.Contains(0))
                {
                    Check.That(underruns.Count < 5, "underruns: " + string.Join(" ", underruns));
                    underruns.Add(Underruns(client, rate));
                }
                Console.WriteLine(rate + " Hz, underruns: " + string.Join(" ", underruns));
            }
        }
    }

    private static long Underruns(SpeechClient client, int rate)
    {
        var request = Line("Halt! Who goes there?", 60);
        request.Visemes = true;
        var line = new SpokenLine(client, request, Patient, 0.12, rate);
        var data = new float[512];
        int hz = rate == 0 ? 22050 : rate;
        long buffers = 0;
        var clock = Stopwatch.StartNew();
        while (!line.IsOver)
        {
            line.Player.Read(data, 1);
            buffers++;
            while (clock.Elapsed.TotalSeconds < buffers * 512.0 / hz) Thread.Sleep(1);
            Check.That(clock.Elapsed.TotalSeconds < 60, "it never ends: " + line.Error);
        }
        Check.That(line.Received.IsCompleted && line.Error == null, "error: " + line.Error);
        Check.Equal(60 * 1764L, line.Player.SamplesPlayed, "played");
        return line.Player.Underruns;
    }
}
