// How long to wait before the same call is tried again.
using System;

namespace KaniNpc
{
    /// <summary>0.25 s, then twice as long each time up to 8 s, of which a random half is left out: games that lost their
    /// server together do not come back together. Never less than the server asked for.</summary>
    public sealed class Backoff
    {
        private const double FirstSeconds = 0.25, MaxSeconds = 8;

        private readonly Random _random;
        private double _next = FirstSeconds;

        public Backoff(int seed)
        {
            _random = new Random(seed);
        }

        public TimeSpan Next(TimeSpan? retryAfter)
        {
            double seconds = _next * (0.5 + 0.5 * _random.NextDouble());
            _next = Math.Min(_next * 2, MaxSeconds);
            if (retryAfter.HasValue) seconds = Math.Max(seconds, retryAfter.Value.TotalSeconds);
            return TimeSpan.FromSeconds(seconds);
        }
    }
}
