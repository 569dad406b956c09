// From the stream's rate to the engine's, a buffer at a time.
using System;

namespace KaniNpc
{
    /// <summary>
    /// A windowed sinc, looked up between the rows of a table, so that any two rates go together. The same samples come out
    /// however the input is cut. Nothing is allocated after the constructor. Not thread-safe.
    /// </summary>
    public sealed class Resampler
    {
        private const int Taps = 32, Rows = 256;

        private readonly float[] _table = new float[(Rows + 1) * Taps];
        private readonly float[] _history = new float[Taps * 2]; // twice over, so that a window never wraps
        private readonly long _inputRate, _outputRate;
        private int _newest;
        private long _position; // of the next output sample behind the window's middle, in input samples / _outputRate

        public Resampler(int inputRate, int outputRate)
        {
            if (inputRate <= 0 || outputRate <= 0) throw new ArgumentOutOfRangeException("inputRate");
            _inputRate = inputRate;
            _outputRate = outputRate;
            // Below both rates' limits, with room for the filter's slope.
            double cutoff = 0.94 * Math.Min(1, (double)outputRate / inputRate);
            for (int row = 0; row <= Rows; row++)
            {
                double sum = 0;
                for (int tap = 0; tap < Taps; tap++)
                {
                    double x = tap - (Taps / 2 - 1) - (double)row / Rows;
                    double window = Kaiser(x / (Taps / 2));
                    double sinc = x == 0 ? 1 : Math.Sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
                    sum += _table[row * Taps + tap] = (float)(sinc * window);
                }
                for (int tap = 0; tap < Taps; tap++) _table[row * Taps + tap] /= (float)sum;
            }
            Reset();
        }

        /// <summary>So many samples of silence belong after the last of the input, for all of it to be heard.</summary>
        public const int Tail = Taps / 2;

        public void Reset()
        {
            Array.Clear(_history, 0, _history.Length);
            _newest = 0;
            // The first output sample stands on the first input sample: half a window must be there first.
            _position = (Taps / 2 + 1) * _outputRate;
        }

        /// <summary>How many input samples the next `numOutput` samples need.</summary>
        public int InputFor(int numOutput)
        {
            return numOutput <= 0 ? 0 : (int)((_position + (numOutput - 1) * _inputRate) / _outputRate);
        }

        /// <summary>Takes exactly `InputFor(numOutput)` samples.</summary>
        public void Process(float[] input, int inputOffset, float[] output, int outputOffset, int numOutput)
        {
            for (int i = 0; i < numOutput; i++)
            {
                while (_position >= _outputRate)
                {
                    _newest = _newest == Taps - 1 ? 0 : _newest + 1;
                    _history[_newest] = _history[_newest + Taps] = input[inputOffset++];
                    _position -= _outputRate;
                }
                double exact = (double)_position * Rows / _outputRate;
                int row = (int)exact;
                var between = (float)(exact - row);
                int at = row * Taps;
                float low = 0, high = 0;
                for (int tap = 0; tap < Taps; tap++)
                {
                    float sample = _history[_newest + 1 + tap]; // the oldest first
                    low += sample * _table[at + tap];
                    high += sample * _table[at + Taps + tap];
                }
                output[outputOffset + i] = low + (high - low) * between;
                _position += _inputRate;
            }
        }

        private static double Kaiser(double x)
        {
            const double beta = 8;
            return Math.Abs(x) >= 1 ? 0 : Bessel(beta * Math.Sqrt(1 - x * x)) / Bessel(beta);
        }

        private static double Bessel(double x)
        {
            double sum = 1, term = 1;
            for (int k = 1; k < 40; k++)
            {
                term *= x / (2 * k) * (x / (2 * k));
                sum += term;
            }
            return sum;
        }
    }
}
