// Protobuf's wire format, as much of it as the generated messages need. Knows no message.
//
// Judged by Python's protobuf: what it takes is taken here, what it refuses is refused.
using System;
using System.Collections.Generic;
using System.Text;

namespace KaniNpc
{
    /// <summary>Bytes that are not the message they should be.</summary>
    public sealed class WireException : Exception
    {
        public WireException(string message) : base(message) { }
    }

    public interface IWireMessage
    {
        void WriteTo(WireWriter output);
        void MergeFrom(ref WireReader input);
    }

    internal static class Utf8
    {
        // Throws on what is not UTF-8, where Encoding.UTF8 would put a replacement character.
        internal static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);
    }

    /// <summary>Reads one message. A value: a copy goes on reading on its own.</summary>
    public struct WireReader
    {
        private const int MaxDepth = 100;
        private const int Varint = 0, Fixed64 = 1, Length = 2, StartGroup = 3, EndGroup = 4, Fixed32 = 5;

        private readonly byte[] _data;
        private int _position;
        private int _end;
        private int _depth;

        public WireReader(ArraySegment<byte> data)
        {
            _data = data.Array;
            _position = data.Offset;
            _end = data.Offset + data.Count;
            _depth = 0;
        }

        public bool AtEnd { get { return _position >= _end; } }

        /// <summary>The next field's number and wire type in one; 0 at the end.</summary>
        public uint Tag()
        {
            if (AtEnd) return 0;
            ulong tag = RawVarint();
            if (tag > uint.MaxValue || tag >> 3 == 0) throw new WireException("a field without a number");
            return (uint)tag;
        }

        public bool Bool() { return RawVarint() != 0; }
        public int Int32() { return (int)RawVarint(); }
        public long Int64() { return (long)RawVarint(); }

        public double Double()
        {
            int at = Take(8);
            long bits = 0;
            for (int i = 7; i >= 0; i--) bits = bits << 8 | _data[at + i];
            return BitConverter.Int64BitsToDouble(bits);
        }

        public float Float()
        {
            int at = Take(4);
            if (BitConverter.IsLittleEndian) return BitConverter.ToSingle(_data, at);
            return BitConverter.ToSingle(new[] { _data[at + 3], _data[at + 2], _data[at + 1], _data[at] }, 0);
        }

        /// <summary>A view of what is read, not a copy of it.</summary>
        public ArraySegment<byte> Bytes()
        {
            int length = Size();
            return new ArraySegment<byte>(_data, Take(length), length);
        }

        public string String()
        {
            int length = Size();
            int at = Take(length);
            try
            {
                return length == 0 ? "" : Utf8.Strict.GetString(_data, at, length);
            }
            catch (ArgumentException)
            {
                throw new WireException("text that is not UTF-8");
            }
        }

        public void Message(IWireMessage message)
        {
            int outer = Enter();
            if (++_depth > MaxDepth) throw new WireException("nested too deep");
            message.MergeFrom(ref this);
            _depth--;
            Leave(outer);
        }

        public void MapEntry(Dictionary<string, string> map)
        {
            int outer = Enter();
            string key = "", value = "";
            bool isKnown = true;
            uint tag;
            while ((tag = Tag()) != 0)
            {
                if (tag == (1 << 3 | Length)) key = String();
                else if (tag == (2 << 3 | Length)) value = String();
                else
                {
                    // More than a key and a value is as a whole something that is not known; protobuf sees it so.
                    isKnown = false;
                    Skip(tag);
                }
            }
            Leave(outer);
            if (isKnown) map[key] = value;
        }

        /// <summary>Into a piece that says how long it is. Returns what `Leave` wants.</summary>
        public int Enter()
        {
            int length = Size();
            int outer = _end;
            _end = _position + length;
            return outer;
        }

        public void Leave(int outer) { _end = outer; }

        public void Skip(uint tag)
        {
            switch ((int)(tag & 7))
            {
                case Varint: RawVarint(); break;
                case Fixed64: Take(8); break;
                case Length: Take(Size()); break;
                case Fixed32: Take(4); break;
                case StartGroup: SkipGroup(tag >> 3); break;
                default: throw new WireException("an unknown wire type");
            }
        }

        private void SkipGroup(uint number)
        {
            if (++_depth > MaxDepth) throw new WireException("nested too deep");
            while (true)
            {
                uint tag = Tag();
                if (tag == 0) throw new WireException("cut off");
                if (tag == (number << 3 | EndGroup)) break;
                Skip(tag);
            }
            _depth--;
        }

        private int Size()
        {
            ulong size = RawVarint();
            if (size > (ulong)(_end - _position)) throw new WireException("cut off");
            return (int)size;
        }

        private int Take(int length)
        {
            int at = _position;
            if (length > _end - at) throw new WireException("cut off");
            _position = at + length;
            return at;
        }

        private ulong RawVarint()
        {
            ulong value = 0;
            for (int shift = 0; shift < 70; shift += 7)
            {
                if (AtEnd) throw new WireException("cut off");
                byte next = _data[_position++];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80) return value;
            }
            throw new WireException("a number of more than ten bytes");
        }
    }

    /// <summary>Writes messages one behind another; `Clear` and it can be used again without new memory.</summary>
    public sealed class WireWriter
    {
        private byte[] _data = new byte[256];
        private int _length;

        public ArraySegment<byte> Written { get { return new ArraySegment<byte>(_data, 0, _length); } }

        public void Clear() { _length = 0; }

        public byte[] ToArray()
        {
            var copy = new byte[_length];
            Buffer.BlockCopy(_data, 0, copy, 0, _length);
            return copy;
        }

        public void Bool(bool value) { RawVarint(value ? 1UL : 0UL); }
        public void Int32(int value) { RawVarint((ulong)(long)value); }
        public void Int64(long value) { RawVarint((ulong)value); }

        public void Double(double value)
        {
            long bits = BitConverter.DoubleToInt64Bits(value);
            Reserve(8);
            for (int i = 0; i < 8; i++) _data[_length++] = (byte)(bits >> (8 * i));
        }

        public void Float(float value)
        {
            byte[] bytes = BitConverter.GetBytes(value);
            if (!BitConverter.IsLittleEndian) Array.Reverse(bytes);
            Raw(bytes, 0, 4);
        }

        public void Bool(uint tag, bool value) { RawVarint(tag); Bool(value); }
        public void Int32(uint tag, int value) { RawVarint(tag); Int32(value); }
        public void Int64(uint tag, long value) { RawVarint(tag); Int64(value); }
        public void Double(uint tag, double value) { RawVarint(tag); Double(value); }
        public void Float(uint tag, float value) { RawVarint(tag); Float(value); }

        /// <summary>Throws WireException on half a surrogate pair, which UTF-8 cannot say.</summary>
        public void String(uint tag, string value)
        {
            int length;
            try
            {
                length = Utf8.Strict.GetByteCount(value);
            }
            catch (ArgumentException)
            {
                throw new WireException("text with half a character");
            }
            RawVarint(tag);
            RawVarint((ulong)length);
            Reserve(length);
            _length += Utf8.Strict.GetBytes(value, 0, value.Length, _data, _length);
        }

        public void Bytes(uint tag, ArraySegment<byte> value)
        {
            RawVarint(tag);
            RawVarint((ulong)value.Count);
            if (value.Count != 0) Raw(value.Array, value.Offset, value.Count);
        }

        public void Message(uint tag, IWireMessage message)
        {
            int mark = Begin(tag);
            message.WriteTo(this);
            End(mark);
        }

        public void Map(uint tag, Dictionary<string, string> map)
        {
            foreach (KeyValuePair<string, string> entry in map)
            {
                int mark = Begin(tag);
                String(1 << 3 | 2, entry.Key);
                String(2 << 3 | 2, entry.Value);
                End(mark);
            }
        }

        /// <summary>Opens a piece whose length is known only at its `End`, which wants what this returns.</summary>
        public int Begin(uint tag)
        {
            RawVarint(tag);
            return _length;
        }

        public void End(int mark)
        {
            int length = _length - mark;
            int size = 1;
            for (int rest = length >> 7; rest != 0; rest >>= 7) size++;
            Reserve(size);
            Buffer.BlockCopy(_data, mark, _data, mark + size, length);
            _length = mark;
            RawVarint((ulong)length);
            _length += length;
        }

        private void RawVarint(ulong value)
        {
            Reserve(10);
            while (value > 0x7F)
            {
                _data[_length++] = (byte)(value | 0x80);
                value >>= 7;
            }
            _data[_length++] = (byte)value;
        }

        private void Raw(byte[] data, int offset, int count)
        {
            Reserve(count);
            Buffer.BlockCopy(data, offset, _data, _length, count);
            _length += count;
        }

        private void Reserve(int count)
        {
            if (_data.Length - _length < count)
                Array.Resize(ref _data, Math.Max(_data.Length * 2, _length + count));
        }
    }

    /// <summary>A call with one answer.</summary>
    public sealed class UnaryMethod<TRequest, TResponse> where TRequest : IWireMessage
    {
        public readonly string Path;
        public readonly Func<ArraySegment<byte>, TResponse> Parse;

        public UnaryMethod(string path, Func<ArraySegment<byte>, TResponse> parse)
        {
            Path = path;
            Parse = parse;
        }
    }

    /// <summary>A call with any number of answers.</summary>
    public sealed class StreamingMethod<TRequest, TResponse> where TRequest : IWireMessage
    {
        public readonly string Path;
        public readonly Func<ArraySegment<byte>, TResponse> Parse;

        public StreamingMethod(string path, Func<ArraySegment<byte>, TResponse> parse)
        {
            Path = path;
            Parse = parse;
        }
    }
}
