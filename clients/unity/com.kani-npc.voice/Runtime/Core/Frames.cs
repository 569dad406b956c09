// gRPC-Web's framing: five bytes before every message, and the trailers as one more frame at the end.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace KaniNpc
{
    /// <summary>Takes a response's body apart, however it was cut on its way. Not thread-safe.</summary>
    public sealed class FrameReader
    {
        private const int PrefixBytes = 5;
        private const int TrailersFlag = 0x80;

        private readonly int _maxMessageBytes;
        private byte[] _data = new byte[16 * 1024];
        private int _start;
        private int _end;

        public FrameReader(int maxMessageBytes)
        {
            _maxMessageBytes = maxMessageBytes;
        }

        /// <summary>The trailers, names in lower case; null until they came.</summary>
        public Dictionary<string, string> Trailers { get; private set; }

        /// <summary>Something came after which more should have come.</summary>
        public bool IsCutOff { get { return _end > _start; } }

        /// <summary>Where the next bytes of the body belong. Ends what `TryRead` lent.</summary>
        public ArraySegment<byte> Space()
        {
            if (_start > 0)
            {
                Buffer.BlockCopy(_data, _start, _data, 0, _end - _start);
                _end -= _start;
                _start = 0;
            }
            // The rest of a message whose length is known, or room for the usual chunk.
            int wanted = Math.Max(4096, _end >= PrefixBytes ? PrefixBytes + Length() - _end : 0);
            if (_data.Length - _end < wanted) Array.Resize(ref _data, Math.Max(_data.Length * 2, _end + wanted));
            return new ArraySegment<byte>(_data, _end, _data.Length - _end);
        }

        public void Advance(int count) { _end += count; }

        /// <summary>The next message, if it is whole: lent until `Space` is called. Throws InvalidDataException.</summary>
        public bool TryRead(out ArraySegment<byte> message)
        {
            message = default(ArraySegment<byte>);
            if (_end - _start < PrefixBytes) return false;
            if (Trailers != null) throw new InvalidDataException("something follows the trailers");
            int flags = _data[_start];
            if ((flags & ~TrailersFlag) != 0) throw new InvalidDataException("a compressed or unknown frame");
            int length = Length();
            if (_end - _start - PrefixBytes < length) return false;
            message = new ArraySegment<byte>(_data, _start + PrefixBytes, length);
            _start += PrefixBytes + length;
            if (flags == 0) return true;
            Trailers = ParseTrailers(message);
            return TryRead(out message);
        }

        private int Length()
        {
            int at = _start + 1;
            long length = (long)_data[at] << 24 | (long)_data[at + 1] << 16 | (long)_data[at + 2] << 8 | _data[at + 3];
            if (length > _maxMessageBytes)
                throw new InvalidDataException("a message of " + length + " bytes; at most " + _maxMessageBytes);
            return (int)length;
        }

        private static Dictionary<string, string> ParseTrailers(ArraySegment<byte> block)
        {
            var trailers = new Dictionary<string, string>();
            string text = Encoding.ASCII.GetString(block.Array, block.Offset, block.Count);
            foreach (string line in text.Split('\n'))
            {
                int colon = line.IndexOf(':');
                if (colon > 0) trailers[line.Substring(0, colon).Trim().ToLowerInvariant()] = line.Substring(colon + 1).Trim();
            }
            return trailers;
        }

        /// <summary>A message as it stands in a request's body.</summary>
        public static byte[] Frame(IWireMessage message)
        {
            var writer = new WireWriter();
            message.WriteTo(writer);
            ArraySegment<byte> written = writer.Written;
            var body = new byte[PrefixBytes + written.Count];
            for (int i = 0; i < 4; i++) body[1 + i] = (byte)(written.Count >> (24 - 8 * i));
            Buffer.BlockCopy(written.Array, written.Offset, body, PrefixBytes, written.Count);
            return body;
        }

        /// <summary>Throws what the trailers (or headers, where a call ends before its first message) say; nothing on OK.</summary>
        internal static void ThrowUnlessOk(IReadOnlyDictionary<string, string> trailers)
        {
            string status;
            int code;
            if (!trailers.TryGetValue("grpc-status", out status)
                || !int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out code))
                throw new RpcException(StatusCode.Unknown, "the server ended the call without a status");
            if (code == 0) return;
            string message, details;
            trailers.TryGetValue("grpc-message", out message);
            trailers.TryGetValue("grpc-status-details-bin", out details);
            throw new RpcException((StatusCode)code, Unescape(message ?? ""), FromBase64(details ?? ""));
        }

        private static string Unescape(string text)
        {
            // Percent signs that escape nothing stay.
            return Uri.UnescapeDataString(text);
        }

        private static byte[] FromBase64(string text)
        {
            try
            {
                // gRPC leaves the padding out.
                return Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='));
            }
            catch (FormatException)
            {
                return new byte[0];
            }
        }
    }
}
