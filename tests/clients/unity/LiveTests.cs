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

    private const double Prebuffer = 0.12;
    private const int Rate = 22050, Frame = 1764, Buffer = 512;

    /// <summary>
    /// What the service sent, played on a clock that no other program can slow down: each frame of 80 ms arrives when a
    /// service that is just as fast as speech would have finished it, up to 40 ms late at random, and a sound card takes
    /// 512 samples whenever it would. No lead of the service helps the player here.
    /// </summary>
    public static void NothingIsMissingOnASimulatedAudioClock()
    {
        Listener sent = Sent();
        foreach (int rate in new[] { 0, 48000 })
            for (int seed = 1; seed <= 20; seed++)
                Check.Equal(0L, Simulated(sent, rate, seed, 0.04), rate + " Hz, arrivals " + seed + ", underruns");
    }

    public static void MoreLatenessThanItsBufferIsHeardAsGapsAndNothingIsLost()
    {
        Listener sent = Sent();
        foreach (int rate in new[] { 0, 48000 })
            Check.That(Enumerable.Range(1, 10).Sum(seed => Simulated(sent, rate, seed, 0.5)) > 0, "it would be noticed");
    }

    private static Listener Sent()
    {
        using (SpeechClient client = Client())
        {
            var sent = new Listener();
            client.Speak(Line("Halt! Who goes there?", 60), sent, Patient, CancellationToken.None).Wait();
            Check.Equal(60 * 1764 * 2, sent.Data.Count, "bytes");
            return sent;
        }
    }

    /// <summary>How often sound was missing. All of it must be played, and at the stream's rate to the bit.</summary>
    private static long Simulated(Listener sent, int rate, int seed, double lateness)
    {
        var random = new Random(seed);
        var player = new SpeechPlayer(rate);
        player.Begin(Rate, Prebuffer);
        var data = new float[Buffer];
        var heard = new List<float>();
        byte[] line = sent.Data.ToArray();
        int written = 0;
        double late = lateness * random.NextDouble();
        for (long buffers = 0; player.State != PlayerState.Finished; buffers++)
        {
            double now = buffers * (double)Buffer / (rate == 0 ? Rate : rate);
            Check.That(now < 60, "it never ends");
            for (; written < line.Length && (written / 2 + Frame) / (double)Rate + late <= now; written += 2 * Frame)
            {
                player.Write(new ArraySegment<byte>(line, written, 2 * Frame), CancellationToken.None).Wait();
                late = lateness * random.NextDouble();
                if (written + 2 * Frame == line.Length) player.Complete();
            }
            player.Read(data, 1);
            heard.AddRange(data);
        }
        Check.Equal(60 * 1764L, player.SamplesPlayed, "played");
        if (rate == 0 && player.Underruns == 0)
        {
            List<float> whole = Enumerable.Range(0, line.Length / 2)
                .Select(i => (short)(line[2 * i] | line[2 * i + 1] << 8) * (1f / 32768)).ToList();
            int from = heard.FindIndex(s => s != 0) - whole.FindIndex(s => s != 0);
            Check.That(heard.Skip(from).Take(whole.Count).SequenceEqual(whole), "the same sound, in one piece");
        }
        return player.Underruns;
    }

    /// <summary>
    /// The same in real time, on the clock of this machine: what it is worth depends on what else runs, and is told. The
    /// player misses nothing that is in hand.
    /// </summary>
    public static void InRealTimeNothingIsMissedThatIsInHand()
    {
        using (SpeechClient client = Client())
            foreach (int rate in new[] { 0, 48000 })
                Console.WriteLine((rate == 0 ? Rate : rate) + " Hz in real time, underruns: " + InRealTime(client, rate));
    }

    private static long InRealTime(SpeechClient client, int rate)
    {
        var request = Line("Halt! Who goes there?", 60);
        request.Visemes = true;
        var line = new SpokenLine(client, request, Patient, Prebuffer, rate);
        var data = new float[Buffer];
        int hz = rate == 0 ? Rate : rate;
        int wanted = (int)Math.Ceiling(Buffer * (double)Rate / hz) + (rate == 0 ? 0 : 2 * Resampler.Tail);
        long buffers = 0;
        var clock = Stopwatch.StartNew();
        while (!line.IsOver)
        {
            int waiting = line.Player.SamplesWaiting;
            long before = line.Player.Underruns;
            line.Player.Read(data, 1);
            Check.That(line.Player.Underruns == before || waiting < wanted, "an underrun with " + waiting + " in hand");
            buffers++;
            while (clock.Elapsed.TotalSeconds < buffers * (double)Buffer / hz) Thread.Sleep(1);
            Check.That(clock.Elapsed.TotalSeconds < 60, "it never ends: " + line.Error);
        }
        Check.That(line.Received.IsCompleted && line.Error == null, "error: " + line.Error);
        Check.Equal(60 * 1764L, line.Player.SamplesPlayed, "played");
        return line.Player.Underruns;
    }
}
