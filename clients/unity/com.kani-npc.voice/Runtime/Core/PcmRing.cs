// Sound on its way from the network's thread to the audio thread.
using System;
using System.Threading;

namespace KaniNpc
{
    /// <summary>One writer, one reader, no locks; nothing is allocated after the constructor.</summary>
    public sealed class PcmRing
    {
        private readonly float[] _samples;
        private readonly int _mask;
        private long _written;
        private long _read;

        /// <summary>Holds `capacity` samples, a power of two.</summary>
        public PcmRing(int capacity)
        {
            if (capacity <= 0 || (capacity & (capacity - 1)) != 0)
                throw new ArgumentException("a power of two", "capacity");
            _samples = new float[capacity];
            _mask = capacity - 1;
        }

        public int Count { get { return (int)(Volatile.Read(ref _written) - Volatile.Read(ref _read)); } }
        public int Free { get { return _samples.Length - Count; } }

        /// <summary>The writer's: little-endian 16-bit samples, as many as fit. Returns how many.</summary>
        public int WriteLinear16(byte[] data, int offset, int numSamples)
        {
            int count = Math.Min(numSamples, Free);
            long at = _written;
            for (int i = 0; i < count; i++, at++, offset += 2)
                _samples[(int)at & _mask] = (short)(data[offset] | data[offset + 1] << 8) * (1f / 32768);
            Volatile.Write(ref _written, at);
            return count;
        }

        /// <summary>The reader's: as many samples as there are. Returns how many.</summary>
        public int Read(float[] to, int offset, int numSamples)
        {
            int count = Math.Min(numSamples, Count);
            long at = _read;
            for (int i = 0; i < count; i++, at++) to[offset + i] = _samples[(int)at & _mask];
            Volatile.Write(ref _read, at);
            return count;
        }
    }
}
