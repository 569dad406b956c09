// What the package's core does without a network and without an engine: Test Runner > EditMode.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using KaniNpc.V1;
using NUnit.Framework;

namespace KaniNpc.Editor.Tests
{
    [TestFixture]
    public sealed class Frames
    {
        // As the service writes it: what is wrong, which field it is about, when to try again.
        private const string Overloaded =
            "grpc-status: 8\r\n"
            + "grpc-message: voll: %E6%97%A5%E6%9C%AC 100%25\r\n"
            + "grpc-status-details-bin: "
            + "CAgSEXZvbGw6IOaXpeacrCAxMDAlGk0KKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SIQoKT1ZF"
            + "UkxPQURFRBIIa2FuaS1ucGMaCQoEZXRhZxIBNxo1Cih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuUmV0cnlJbmZv"
            + "EgkKBwgBEIDlmncaOQopdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkJhZFJlcXVlc3QSDAoKCgR0ZXh0EgJzbw"
            + "\r\n";

        private static byte[] Body(params byte[][] frames) { return frames.SelectMany(f => f).ToArray(); }

        private static byte[] Frame(int flags, byte[] data)
        {
            byte[] head = { (byte)flags, (byte)(data.Length >> 24), (byte)(data.Length >> 16), (byte)(data.Length >> 8), (byte)data.Length };
            return head.Concat(data).ToArray();
        }

        private static List<byte[]> Read(FrameReader reader, byte[] body, int cut)
        {
            var messages = new List<byte[]>();
            for (int at = 0; at < body.Length;)
            {
                ArraySegment<byte> space = reader.Space();
                int count = Math.Min(Math.Min(cut, space.Count), body.Length - at);
                Buffer.BlockCopy(body, at, space.Array, space.Offset, count);
                reader.Advance(count);
                at += count;
                ArraySegment<byte> message;
                while (reader.TryRead(out message)) messages.Add(message.ToArray());
            }
            return messages;
        }

        [Test]
        public void AnyCuttingGivesTheSameMessages()
        {
            var random = new Random(1);
            byte[][] sent = { new byte[0], new byte[1], new byte[3528], new byte[100000], new byte[5] };
            foreach (byte[] message in sent) random.NextBytes(message);
            byte[] trailers = Encoding.ASCII.GetBytes("grpc-status:0\r\nGrpc-Message: fine\r\n");
            byte[] body = Body(sent.Select(m => Frame(0, m)).Concat(new[] { Frame(0x80, trailers) }).ToArray());
            foreach (int cut in new[] { 1, 2, 5, 7, 4096, body.Length })
            {
                var reader = new FrameReader(1 << 20);
                List<byte[]> came = Read(reader, body, cut);
                Check.That(came.Count == sent.Length && came.Zip(sent, (a, b) => a.SequenceEqual(b)).All(x => x), "cut at " + cut);
                Check.Equal("fine", reader.Trailers["grpc-message"], "trailer");
                Check.That(!reader.IsCutOff, "nothing is left");
            }
        }

        [Test]
        public void WhatIsNoFrameIsRefused()
        {
            byte[] huge = { 0, 0x7F, 0xFF, 0xFF, 0xFF }, negative = { 0, 0xFF, 0xFF, 0xFF, 0xFF };
            byte[] compressed = Frame(1, new byte[3]), late = Body(Frame(0x80, new byte[0]), Frame(0, new byte[0]));
            foreach (byte[] body in new[] { huge, negative, compressed, late })
                Check.Throws<InvalidDataException>(() => Read(new FrameReader(1 << 20), body, body.Length));
            var reader = new FrameReader(1 << 20);
            Read(reader, new byte[] { 0, 0, 0, 0, 9, 1 }, 6);
            Check.That(reader.IsCutOff, "half a message is seen");
        }

        [Test]
        public void AnErrorSaysWhatTheServiceSaid()
        {
            var reader = new FrameReader(1 << 20);
            Read(reader, Frame(0x80, Encoding.ASCII.GetBytes(Overloaded)), 3);
            var error = Check.Throws<RpcException>(() => FrameReader.ThrowUnlessOk(reader.Trailers));
            Check.Equal(StatusCode.ResourceExhausted, error.Code, "code");
            Check.Equal("voll: 日本 100%", error.Message, "message");
            Check.Equal("OVERLOADED", error.Reason, "reason");
            Check.Equal("text", error.Field, "field");
            Check.Equal(TimeSpan.FromSeconds(1.25), error.RetryAfter.Value, "retry after");
            Check.Equal("7", error.Metadata["etag"], "metadata");
            var bare = new Dictionary<string, string> { { "grpc-status", "5" }, { "grpc-status-details-bin", "!" } };
            Check.Equal(StatusCode.NotFound, Check.Throws<RpcException>(() => FrameReader.ThrowUnlessOk(bare)).Code, "bare");
        }
    }

    [TestFixture]
    public sealed class Waiting
    {
        [Test]
        public void BackOffGrowsToEightSecondsAndKeepsToWhatTheServerAsks()
        {
            var backoff = new Backoff(1);
            double limit = 0.25;
            for (int i = 0; i < 12; i++)
            {
                double seconds = backoff.Next(null).TotalSeconds;
                Check.That(seconds >= limit / 2 && seconds <= limit, i + ": " + seconds);
                limit = Math.Min(8, limit * 2);
            }
            Check.That(new Backoff(1).Next(TimeSpan.FromSeconds(3)).TotalSeconds >= 3, "the server's wish");
            Check.That(new Backoff(1).Next(null) != new Backoff(2).Next(null), "not all at once");
        }
    }

    [TestFixture]
    public sealed class Sound
    {
        private static byte[] Linear16(IEnumerable<double> samples)
        {
            return samples.SelectMany(s => BitConverter.GetBytes((short)Math.Round(s * 32767))).ToArray();
        }

        private static double[] Sine(int count, double hz, int rate)
        {
            return Enumerable.Range(0, count).Select(i => 0.5 * Math.Sin(2 * Math.PI * hz * i / rate)).ToArray();
        }

        private static void Write(SpeechPlayer player, byte[] data)
        {
            player.Write(new ArraySegment<byte>(data), CancellationToken.None).Wait();
        }

        private static float[] ReadAll(SpeechPlayer player, int buffer)
        {
            var all = new List<float>();
            var data = new float[buffer];
            while (player.State != PlayerState.Finished)
            {
                player.Read(data, 1);
                all.AddRange(data);
                Check.That(all.Count < 10000000, "it never ends");
            }
            return all.ToArray();
        }

        [Test]
        public void TwoThreadsHandOverEverySampleInOrder()
        {
            const int count = 1000000;
            var ring = new PcmRing(1024);
            var writer = new Thread(() =>
            {
                var data = new byte[2 * 300];
                for (int sent = 0; sent < count;)
                {
                    int n = Math.Min(300, count - sent);
                    for (int i = 0; i < n; i++)
                    {
                        data[2 * i] = (byte)(sent + i);
                        data[2 * i + 1] = (byte)((sent + i) >> 8);
                    }
                    int taken = 0;
                    while (taken < n)
                    {
                        taken += ring.WriteLinear16(data, 2 * taken, n - taken);
                        if (taken < n) Thread.Yield();
                    }
                    sent += n;
                }
            }) { IsBackground = true };
            writer.Start();
            var got = new float[257];
            for (int read = 0; read < count;)
            {
                int n = ring.Read(got, 0, got.Length);
                for (int i = 0; i < n; i++, read++) Check.That(got[i] == (short)read * (1f / 32768), "sample " + read);
                if (n == 0) Thread.Yield();
            }
            writer.Join();
            Check.Throws<ArgumentException>(() => new PcmRing(1000));
        }

        [Test]
        public void ResamplingKeepsASineAndDoesNotHearHowItIsCut()
        {
            foreach (int[] rates in new[] { new[] { 22050, 48000 }, new[] { 22050, 44100 }, new[] { 24000, 48000 }, new[] { 48000, 22050 }, new[] { 22050, 96000 } })
            {
                float[] input = Sine(rates[0], 1000, rates[0]).Select(s => (float)s).ToArray();
                float[][] outputs = new[] { 1, 37, 512 }.Select(cut =>
                {
                    var resampler = new Resampler(rates[0], rates[1]);
                    var output = new float[rates[1] * 9 / 10];
                    for (int done = 0, at = 0; done < output.Length;)
                    {
                        int n = Math.Min(cut, output.Length - done), needs = resampler.InputFor(n);
                        resampler.Process(input, at, output, done, n);
                        at += needs;
                        done += n;
                    }
                    return output;
                }).ToArray();
                Check.That(outputs.All(o => o.SequenceEqual(outputs[0])), "cutting");
                double[] ideal = Sine(outputs[0].Length, 1000, rates[1]);
                double error = 0, power = 0;
                for (int i = 200; i < ideal.Length; i++)
                {
                    error += Math.Pow(outputs[0][i] - ideal[i], 2);
                    power += ideal[i] * ideal[i];
                }
                double decibels = 10 * Math.Log10(power / error);
                Check.That(decibels > 70, rates[0] + " to " + rates[1] + ": " + decibels + " dB");
            }
        }

        [Test]
        public void WhatALowerRateCannotSayIsNotHeardAsSomethingElse()
        {
            // 15 kHz down to 22.05 kHz would come back as 7.05 kHz.
            var resampler = new Resampler(48000, 22050);
            float[] input = Sine(48000, 15000, 48000).Select(s => (float)s).ToArray(), output = new float[20000];
            resampler.Process(input, 0, output, 0, output.Length);
            double power = output.Skip(200).Average(s => s * s) / 0.125;
            Check.That(10 * Math.Log10(power) < -50, 10 * Math.Log10(power) + " dB");
        }

        [Test]
        public void ALineIsPlayedToItsLastSample()
        {
            double[] line = Sine(30000, 200, 22050);
            foreach (int buffer in new[] { 64, 512, 1000, 4096 })
            {
                var player = new SpeechPlayer(0);
                player.Begin(22050, 0.12);
                Write(player, Linear16(line));
                player.Complete();
                float[] heard = ReadAll(player, buffer);
                for (int i = 0; i < line.Length; i++) Check.That(Math.Abs(heard[i] - line[i]) < 1e-4, "sample " + i);
                Check.That(heard.Skip(line.Length).All(s => s == 0), "silence after it");
                Check.Equal(30000L, player.SamplesPlayed, "played");
                Check.Equal(0L, player.Underruns, "underruns");
            }
        }

        [Test]
        public void ALineAtTheEnginesRateIsAsLongAndCountedAtItsOwn()
        {
            double[] line = Sine(22050, 440, 22050);
            var player = new SpeechPlayer(48000);
            player.Begin(22050, 0.12);
            Write(player, Linear16(line));
            player.Complete();
            float[] heard = ReadAll(player, 1024);
            double[] ideal = Sine(48000, 440, 48000);
            for (int i = 200; i < 47900; i++) Check.That(Math.Abs(heard[i] - ideal[i]) < 2e-3, "sample " + i + " " + heard[i] + " " + ideal[i]);
            Check.Equal(22050L, player.SamplesPlayed, "played, at the line's rate");
        }

        [Test]
        public void PlaybackWaitsForTheBufferAndShortLinesForTheirEnd()
        {
            var player = new SpeechPlayer(0);
            var data = new float[512];
            player.Read(data, 1);
            Check.Equal(PlayerState.Buffering, player.State, "before the header");
            player.Begin(22050, 0.12);
            Write(player, Linear16(Sine(2645, 200, 22050)));
            player.Read(data, 1);
            Check.That(data.All(s => s == 0) && player.State == PlayerState.Buffering, "119.95 ms are not enough");
            Write(player, Linear16(Sine(1, 200, 22050)));
            player.Read(data, 1);
            Check.That(data.Any(s => s != 0), "120 ms are");
            var brief = new SpeechPlayer(0);
            brief.Begin(22050, 0.12);
            Write(brief, Linear16(Sine(100, 200, 22050)));
            brief.Read(data, 1);
            Check.That(data.All(s => s == 0), "a short line waits");
            brief.Complete();
            brief.Read(data, 1);
            Check.That(data.Any(s => s != 0), "its end is enough");
        }

        [Test]
        public void MissingSoundIsSilenceAndItsEdgesAreFaded()
        {
            // Constant sound: every jump would be an edge.
            var player = new SpeechPlayer(0);
            player.Begin(22050, 0.01);
            byte[] piece = Linear16(Enumerable.Repeat(0.5, 3000));
            var all = new List<float>();
            var data = new float[512];
            for (int pieces = 0; pieces < 3; pieces++)
            {
                Write(player, piece);
                for (int i = 0; i < 8; i++)
                {
                    player.Read(data, 1);
                    all.AddRange(data);
                }
            }
            Check.Equal(3L, player.Underruns, "underruns");
            Check.Equal(9000L, player.SamplesPlayed, "nothing is repeated, nothing lost");
            for (int i = 1; i < all.Count; i++)
            {
                float jump = Math.Abs(all[i] - all[i - 1]);
                Check.That(jump < 0.01, "an edge of " + jump + " at " + i);
            }
            Check.That(all.Count(s => s == 0) > 1000 && all.Max() > 0.49, "silence and sound");
        }

        [Test]
        public void StoppingFadesOutWithinTenMilliseconds()
        {
            var player = new SpeechPlayer(0);
            player.Begin(22050, 0.05);
            Write(player, Linear16(Enumerable.Repeat(0.5, 20000)));
            var data = new float[512];
            for (int i = 0; i < 4; i++) player.Read(data, 1);
            player.Stop();
            float last = data[511];
            player.Read(data, 1);
            int sounding = data.TakeWhile(s => s != 0).Count();
            Check.That(sounding > 50 && sounding < 220, sounding + " samples");
            for (int i = 0; i < 512; i++)
            {
                Check.That(Math.Abs(data[i] - last) < 0.01, "no click");
                last = data[i];
            }
            Check.Equal(PlayerState.Finished, player.State, "state");
            var never = new SpeechPlayer(0);
            never.Stop();
            never.Read(data, 1);
            Check.Equal(PlayerState.Finished, never.State, "stopped before it began");
        }

        [Test]
        public void AWriterWaitsForASlowReaderAndLosesNothing()
        {
            var player = new SpeechPlayer(0);
            player.Begin(48000, 0.1);
            byte[] line = Linear16(Sine(400000, 200, 48000)); // more than the ring holds
            var writing = player.Write(new ArraySegment<byte>(line), CancellationToken.None);
            Thread.Sleep(100);
            Check.That(!writing.IsCompleted, "it waits");
            var data = new float[4096];
            while (!writing.IsCompleted || player.SamplesWaiting > 0) player.Read(data, 1);
            Check.Equal(400000L, player.SamplesPlayed, "played");
            var abandoned = player.Write(new ArraySegment<byte>(line), new CancellationTokenSource(50).Token);
            Check.Throws<OperationCanceledException>(() => abandoned.Wait());
        }
    }

    [TestFixture]
    public sealed class Mouth
    {
        [Test]
        public void TheTrackIsReadBySamplesPlayed()
        {
            var track = new TimingTrack();
            var weights = new float[15];
            Check.Equal(0f, track.At(0, weights), "nothing is known");
            Check.Equal(1f, weights[(int)Viseme.Sil], "silence");
            for (int hop = 0; hop < 4; hop++)
            {
                var timing = new SpeechTiming { FirstSample = hop * 441, HopSamples = 441 };
                timing.Openness.Add(hop / 4f);
                for (int i = 0; i < 15; i++) timing.Weights.Add(i == 10 + hop ? 1 : 0);
                track.Add(timing);
                if (hop == 1) track.Add(timing); // twice: not where the last ended, and left out
            }
            Check.Equal(0f, track.At(0, weights), "first hop");
            Check.Equal(1f, weights[(int)Viseme.AA], "its viseme");
            Check.That(Math.Abs(track.At(441, weights) - 0.125f) < 0.001, "between two hops");
            Check.That(Math.Abs(weights[(int)Viseme.AA] - 0.5f) < 0.001 && Math.Abs(weights[(int)Viseme.E] - 0.5f) < 0.001, "both");
            Check.That(Math.Abs(track.At(441 * 2 + 220, null) - 0.5f) < 0.001, "middle of the third");
            Check.Equal(0f, track.At(441 * 5, weights), "after the last");
            Check.Equal(1f, weights[0], "closed again");
            Check.Equal(0f, track.At(-5, weights), "before the first");
        }
    }
}
