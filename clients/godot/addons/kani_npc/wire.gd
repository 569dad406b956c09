extends Reference
# Protobuf's wire format and gRPC-Web's frames, as far as a line needs them. Knows no message.

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

# Writing

var data = PoolByteArray()


func number(field, value):
	if value != 0:
		_varint(field << 3 | VARINT)
		_varint(int(value))


func text(field, value):
	var bytes = value.to_utf8()
	if bytes.size() > 0:
		_varint(field << 3 | BYTES)
		_varint(bytes.size())
		data.append_array(bytes)


# A message as it stands in a request's body.
func framed():
	var size = data.size()
	var frame = PoolByteArray([0, size >> 24 & 255, size >> 16 & 255, size >> 8 & 255, size & 255])
	frame.append_array(data)
	return frame


func _varint(value):
	# Ten bytes for a negative number: its sign is not carried down.
	for _i in range(10):
		var rest = (value >> 7) & 0x01FFFFFFFFFFFFFF
		if rest == 0:
			data.append(value & 127)
			return
		data.append(value & 127 | 128)
		value = rest


# Reading

# {field: [values]} of a message; numbers are ints, everything else bytes. null where it is not a message.
static func fields(bytes):
	var found = {}
	var at = 0
	while at < bytes.size():
		var tag = _read_varint(bytes, at)
		if tag == null or tag[0] >> 3 == 0:
			return null
		at = tag[1]
		var value
		match tag[0] & 7:
			VARINT:
				var read = _read_varint(bytes, at)
				if read == null:
					return null
				value = read[0]
				at = read[1]
			BYTES:
				var size = _read_varint(bytes, at)
				if size == null or size[0] < 0 or size[0] > bytes.size() - size[1]:
					return null
				at = size[1] + size[0]
				value = bytes.subarray(size[1], at - 1) if size[0] > 0 else PoolByteArray()
			FIXED32, FIXED64:
				var width = 4 if tag[0] & 7 == FIXED32 else 8
				if width > bytes.size() - at:
					return null
				value = bytes.subarray(at, at + width - 1)
				at += width
			_:
				return null
		var number = tag[0] >> 3
		if not found.has(number):
			found[number] = []
		found[number].append(value)
	return found


# The last value of a field is the one that counts. What is of another kind than expected is as if it were not there.
static func last(found, field, otherwise):
	var value = found[field].back() if found.has(field) else otherwise
	return value if typeof(value) == typeof(otherwise) else otherwise


static func floats(bytes):
	var buffer = StreamPeerBuffer.new()
	buffer.data_array = bytes
	var values = []
	for _i in range(bytes.size() / 4):
		values.append(buffer.get_float())
	return values


# [value, where the next thing begins], or null.
static func _read_varint(bytes, at):
	var value = 0
	var shift = 0
	while shift < 70:
		if at >= bytes.size():
			return null
		var byte = bytes[at]
		at += 1
		value |= (byte & 127) << shift
		if byte < 128:
			return [value, at]
		shift += 7
	return null
