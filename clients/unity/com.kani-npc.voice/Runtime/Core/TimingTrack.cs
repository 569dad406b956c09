// What the mouth does, by the samples that were played.
using System;
using System.Collections.Generic;
using KaniNpc.V1;

namespace KaniNpc
{
    /// <summary>The 15 mouth shapes, in the order of the wire.</summary>
    public enum Viseme
    {
        Sil, PP, FF, TH, DD, KK, CH, SS, NN, RR, AA, E, IH, OH, OU,
    }

    /// <summary>Filled as timing arrives, asked once a picture. Any thread.</summary>
    public sealed class TimingTrack
    {
        public const int NumVisemes = 15;

        private readonly List<float> _weights = new List<float>();
        private readonly List<float> _openness = new List<float>();
        private int _hopSamples;

        public void Add(SpeechTiming timing)
        {
            lock (_weights)
            {
                int hops = Math.Min(timing.Openness.Count, timing.Weights.Count / NumVisemes);
                // Hops of another length, or not where the last ones ended, belong to no line of ours.
                bool fits = timing.HopSamples > 0 && (_hopSamples == 0 || timing.HopSamples == _hopSamples);
                if (!fits || timing.FirstSample != (long)_openness.Count * timing.HopSamples) return;
                _hopSamples = timing.HopSamples;
                for (int i = 0; i < hops * NumVisemes; i++) _weights.Add(timing.Weights[i]);
                for (int i = 0; i < hops; i++) _openness.Add(timing.Openness[i]);
            }
        }

        /// <summary>
        /// The mouth at a sample, between the hops around it: how open it is (0 to 1), and into `weights` (15, or null) the
        /// visemes'. A closed mouth before the line, after it and where nothing is known. Allocates nothing.
        /// </summary>
        public float At(long sample, float[] weights)
        {
            lock (_weights)
            {
                if (weights != null)
                {
                    Array.Clear(weights, 0, weights.Length);
                    weights[(int)Viseme.Sil] = 1;
                }
                if (_hopSamples == 0 || sample < 0) return 0;
                double hop = Math.Max(0, (double)sample / _hopSamples - 0.5); // a hop speaks for its middle
                var first = (int)hop;
                if (first >= _openness.Count) return 0;
                int second = Math.Min(first + 1, _openness.Count - 1);
                var between = (float)(hop - first);
                for (int i = 0; weights != null && i < NumVisemes; i++)
                    weights[i] = Mix(_weights[first * NumVisemes + i], _weights[second * NumVisemes + i], between);
                return Mix(_openness[first], _openness[second], between);
            }
        }

        private static float Mix(float a, float b, float share) { return a + (b - a) * share; }
    }
}
