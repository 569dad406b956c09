extends RefCounted
# Protobuf's wire format and gRPC-Web's frames, as far as a line needs them. Knows no message.

const VARINT := 0
const FIXED64 := 1
const BYTES := 2
const FIXED32 := 5

# Writing

var data := PackedByteArray()


func number(field: int, value: int) -> void:
	if value != 0:
		_varint(field << 3 | VARINT)
		_varint(value)


func text(field: int, value: String) -> void:
	var bytes := value.to_utf8_buffer()
	if bytes.size() > 0:
		_varint(field << 3 | BYTES)
		_varint(bytes.size())
		data.append_array(bytes)


# A message as it stands in a request's body.
func framed() -> PackedByteArray:
	var size := data.size()
	var frame := PackedByteArray([0, size >> 24 & 255, size >> 16 & 255, size >> 8 & 255, size & 255])
	frame.append_array(data)
	return frame


func _varint(value: int) -> void:
	# Godot shifts no negative number: its sign is taken down by hand, into the tenth byte.
	while value < 0 or value > 127:
		data.append(value & 127 | 128)
		value = (value >> 7) if value >= 0 else ((value & 0x7FFFFFFFFFFFFFFF) >> 7 | 1 << 56)
	data.append(value)


# Reading

# {field: [values]} of a message; numbers are ints, everything else bytes. null where it is not a message.
static func fields(bytes: PackedByteArray) -> Variant:
	var found := {}
	var at := 0
	while at < bytes.size():
		var tag := _read_varint(bytes, at)
		if tag.is_empty() or tag[0] < 8:
			return null
		at = tag[1]
		var value: Variant
		match tag[0] & 7:
			VARINT:
				var read := _read_varint(bytes, at)
				if read.is_empty():
					return null
				value = read[0]
				at = read[1]
			BYTES:
				var size := _read_varint(bytes, at)
				if size.is_empty() or size[0] < 0 or size[0] > bytes.size() - size[1]:
					return null
				at = size[1] + size[0]
				value = bytes.slice(size[1], at)
			FIXED32, FIXED64:
				var width := 4 if tag[0] & 7 == FIXED32 else 8
				if width > bytes.size() - at:
					return null
				value = bytes.slice(at, at + width)
				at += width
			_:
				return null
		found.get_or_add(tag[0] >> 3, []).append(value)
	return found


# The last value of a field is the one that counts. What is of another kind than expected is as if it were not there.
static func last(found: Dictionary, field: int, otherwise: Variant) -> Variant:
	var value: Variant = found[field].back() if found.has(field) else otherwise
	return value if typeof(value) == typeof(otherwise) else otherwise


static func floats(bytes: PackedByteArray) -> PackedFloat32Array:
	return bytes.slice(0, bytes.size() / 4 * 4).to_float32_array()


# [value, where the next thing begins], or nothing.
static func _read_varint(bytes: PackedByteArray, at: int) -> PackedInt64Array:
	var value := 0
	var shift := 0
	while shift < 70 and at < bytes.size():
		var byte := bytes[at]
		at += 1
		value |= (byte & 127) << shift
		if byte < 128:
			return PackedInt64Array([value, at])
		shift += 7
	return PackedInt64Array()
