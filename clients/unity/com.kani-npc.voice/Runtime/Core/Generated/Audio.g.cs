// Generated from kani_npc/v1/audio.proto. Do not edit: `make proto` writes it.
using System;
using System.Collections.Generic;

namespace KaniNpc.V1
{
    /// <summary>How a sample is written. Encodings that are not named here are refused.</summary>
    public enum AudioEncoding
    {
        /// <summary>The server's choice: AUDIO_ENCODING_LINEAR16.</summary>
        Unspecified = 0,
        /// <summary>Signed 16-bit integers, little-endian.</summary>
        Linear16 = 1,
        /// <summary>IEEE 754 32-bit floats, little-endian, in -1 to 1.</summary>
        Float32 = 2,
        /// <summary>G.711 mu-law, one byte a sample, for telephone-like lines; at 8000 Hz unless another rate is asked for.</summary>
        Mulaw = 3,
        /// <summary>One Ogg Opus file, streamed page by page; 48000 Hz, and positions count samples at that rate.</summary>
        OggOpus = 4,
    }

    /// <summary>The sound a client asks for.</summary>
    public sealed class AudioFormat : IWireMessage
    {
        public AudioEncoding Encoding;
        /// <summary>One of GetServerInfoResponse.sample_rates_hz; 0 is the model's own rate, which costs no resampling.</summary>
        public int SampleRateHz;

        public static AudioFormat Parse(ArraySegment<byte> data)
        {
            var message = new AudioFormat();
            var input = new WireReader(data);
            message.MergeFrom(ref input);
            return message;
        }

        public void WriteTo(WireWriter output)
        {
            if (Encoding != 0) output.Int32(8, (int)Encoding);
            if (SampleRateHz != 0) output.Int32(16, SampleRateHz);
        }

        public void MergeFrom(ref WireReader input)
        {
            uint tag;
            while ((tag = input.Tag()) != 0)
            {
                switch (tag)
                {
                    case 8: Encoding = (AudioEncoding)input.Int32(); break;
                    case 16: SampleRateHz = input.Int32(); break;
                    default: input.Skip(tag); break;
                }
            }
        }
    }
}
