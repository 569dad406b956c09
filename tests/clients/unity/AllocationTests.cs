// What only a quiet process can tell: Unity's own tests run beside an editor that allocates all the time.
using System;
using System.Threading;
using KaniNpc;
using KaniNpc.V1;

public static class Allocation
{
    public static void TheAudioThreadAllocatesNothing()
    {
        foreach (int rate in new[] { 0, 48000 })
        {
            var player = new SpeechPlayer(rate);
            player.Begin(22050, 0.05);
            var piece = new byte[2 * 1764];
            var ring = new PcmRing(1 << 13);
            var data = new float[2048];
            var track = new TimingTrack();
            var timing = new SpeechTiming { HopSamples = 441 };
            for (int i = 0; i < 4; i++) timing.Openness.Add(0.5f);
            for (int i = 0; i < 60; i++) timing.Weights.Add(1f / 15);
            track.Add(timing);
            var weights = new float[TimingTrack.NumVisemes];
            // Reading from an empty, a full and a stopped player, again and again, is all there is. Writing to a full
            // buffer's worth first; tasks that are done already are shared ones.
            Action round = () =>
            {
                ring.WriteLinear16(piece, 0, 1764);
                ring.Read(data, 0, 1764);
                player.Read(data, 2);
                player.Modulate(data, 2);
                track.At(player.SamplesPlayed, weights);
            };
            player.Write(new ArraySegment<byte>(new byte[400000]), CancellationToken.None).Wait();
            for (int i = 0; i < 50; i++) round();
            GC.Collect();
            int collections = GC.CollectionCount(0);
            long before = GC.GetTotalMemory(false);
            for (int i = 0; i < 5000; i++) round();
            // A collection begins every few megabytes at the latest: 5000 rounds of one object each would be seen.
            Check.Equal(collections, GC.CollectionCount(0), "collections");
            Check.That(GC.GetTotalMemory(false) - before < 64 * 1024, GC.GetTotalMemory(false) - before + " bytes");
        }
    }
}
