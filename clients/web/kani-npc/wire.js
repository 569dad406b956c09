// Protocol Buffers, read and written by tables: plain objects with the names of the fields in camelCase.
//
// What is not set: "" or 0 or false or [] or {}, as the field says; `undefined` for messages, and for fields that are
// `optional` or of a `oneof`. Enumerations are their names; a number where the name is not known. 64-bit integers are
// numbers, and BigInt only where a number would not be exact. Unknown fields are skipped, as are known ones that come in
// a shape they do not have; text that is not UTF-8 is refused.

/** Bytes that are no message. */
export class WireError extends Error {}

const VARINT = 0, FIXED64 = 1, LENGTH = 2, START_GROUP = 3, END_GROUP = 4, FIXED32 = 5;
const MAX_DEPTH = 100; // as in Google's own readers

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

/** Of `{NAME: number}`. */
export function enumeration(values) {
  const names = new Map(Object.entries(values).map(([name, number]) => [number, name]));
  return { values, scalar: {
    wire: VARINT,
    zero: names.get(0),
    read: (reader) => { const n = toInt32(reader.varint()); return names.get(n) ?? n; },
    write: (writer, value) => writer.varint(numberOf(values, value)),
    isZero: (value) => numberOf(values, value) === 0,
  } };
}

function numberOf(values, value) {
  if (typeof value === "number") return value;
  if (value in values) return values[value];
  throw new WireError(`there is no ${value} among ${Object.keys(values).join(", ")}`);
}

/** `fields()` gives `[number, name, kind, oneof]`; a function, because tables know each other. */
export function message(name, fields) {
  let table;
  return { name, get table() { return (table ??= tableOf(fields())); } };
}

export const repeated = (kind) => ({ repeated: kind });
export const map = (key, value) => ({ key, value });

const SCALARS = {
  bool: { wire: VARINT, zero: false, read: (r) => r.varint() != 0, write: (w, v) => w.varint(v ? 1 : 0) },
  int32: { wire: VARINT, zero: 0, read: (r) => toInt32(r.varint()), write: (w, v) => w.varint(v) },
  uint32: { wire: VARINT, zero: 0, read: (r) => toInt32(r.varint()) >>> 0, write: (w, v) => w.varint(v >>> 0) },
  sint32: { wire: VARINT, zero: 0, read: (r) => unzigzag(toInt32(r.varint()) >>> 0), write: (w, v) => w.varint(((v << 1) ^ (v >> 31)) >>> 0) },
  int64: { wire: VARINT, zero: 0, read: (r) => exact(BigInt.asIntN(64, BigInt(r.varint()))), write: (w, v) => w.varint(v) },
  uint64: { wire: VARINT, zero: 0, read: (r) => exact(BigInt.asUintN(64, BigInt(r.varint()))), write: (w, v) => w.varint(v) },
  double: { wire: FIXED64, zero: 0, read: (r) => r.view(8).getFloat64(0, true), write: (w, v) => w.fixed(8, (d) => d.setFloat64(0, v, true)), isZero: isPositiveZero },
  float: { wire: FIXED32, zero: 0, read: (r) => r.view(4).getFloat32(0, true), write: (w, v) => w.fixed(4, (d) => d.setFloat32(0, v, true)), isZero: isPositiveZero },
  string: { wire: LENGTH, zero: "", read: (r) => text(r.bytes()), write: (w, v) => w.bytes(toUtf8.encode(v)) },
  bytes: { wire: LENGTH, zero: new Uint8Array(0), read: (r) => r.bytes().slice(), write: (w, v) => w.bytes(v), isZero: (v) => v.length === 0 },
};

// Minus zero is a value that was set.
function isPositiveZero(value) { return Object.is(value, 0); }
function unzigzag(n) { return (n >>> 1) ^ -(n & 1); }
function toInt32(n) { return typeof n === "number" ? n | 0 : Number(BigInt.asIntN(32, n)); }
function exact(n) { const number = Number(n); return Number.isSafeInteger(number) ? number : n; }
function text(bytes) {
  try { return utf8.decode(bytes); } catch { throw new WireError("text that is not UTF-8"); }
}

function tableOf(fields) {
  const byNumber = new Map(), list = [];
  for (const [number, name, kind, oneof] of fields) {
    const field = { number, name, oneof, hasPresence: oneof !== undefined };
    if (kind.key) Object.assign(field, { shape: "map", entry: { name: "", table: tableOf([[1, "key", kind.key], [2, "value", kind.value]]) } });
    else Object.assign(field, { shape: kind.repeated ? "list" : "one" }, typeOf(kind.repeated ?? kind));
    byNumber.set(number, field);
    list.push(field);
  }
  return { byNumber, list };
}

function typeOf(kind) {
  if (typeof kind === "string") return { scalar: SCALARS[kind] };
  return kind.scalar ? { scalar: kind.scalar } : { type: kind };
}

/** The message in `bytes`. Throws `WireError`. */
export function decode(type, bytes) {
  return readMessage(type, new Reader(bytes), 0);
}

function readMessage(type, reader, depth) {
  if (depth > MAX_DEPTH) throw new WireError("messages within messages without end");
  const { byNumber, list } = type.table;
  const result = {};
  for (const field of list) {
    if (field.shape === "list") result[field.name] = [];
    else if (field.shape === "map") result[field.name] = {};
    else if (field.scalar && !field.hasPresence) result[field.name] = field.scalar.zero;
  }
  while (!reader.isAtEnd) {
    const [number, wire] = reader.tag();
    const field = byNumber.get(number);
    if (field === undefined || !readField(field, wire, result, list, reader, depth)) reader.skip(number, wire, depth);
  }
  return result;
}

/** Whether the field took what comes; nothing was read if not. */
function readField(field, wire, result, list, reader, depth) {
  if (field.scalar) {
    const { scalar, name } = field;
    if (wire === scalar.wire) {
      if (field.shape === "list") result[name].push(scalar.read(reader));
      else set(field, scalar.read(reader), result, list);
      return true;
    }
    if (field.shape !== "list" || wire !== LENGTH || scalar.wire === LENGTH) return false;
    const packed = new Reader(reader.bytes());
    while (!packed.isAtEnd) result[name].push(scalar.read(packed));
    return true;
  }
  if (wire !== LENGTH) return false;
  const inner = new Reader(reader.bytes());
  if (field.shape === "map") {
    const { key, value } = readMessage(field.entry, inner, depth + 1);
    // Not an assignment, which a key such as __proto__ would bend.
    Object.defineProperty(result[field.name], key, {
      value: value ?? emptyOf(field.entry), enumerable: true, writable: true, configurable: true,
    });
    return true;
  }
  const value = readMessage(field.type, inner, depth + 1);
  if (field.shape === "list") result[field.name].push(value);
  else set(field, field.name in result ? merged(field.type, result[field.name], value) : value, result, list);
  return true;
}

function emptyOf(entry) {
  return readMessage(entry.table.byNumber.get(2).type, new Reader(new Uint8Array(0)), 0);
}

function set(field, value, result, list) {
  // The last of a oneof is the one.
  if (field.oneof && !field.oneof.startsWith("_")) {
    for (const other of list) if (other.oneof === field.oneof && other !== field) delete result[other.name];
  }
  result[field.name] = value;
}

// A message that comes in two parts is one: as if both had been written one after the other.
function merged(type, first, second) {
  const one = encode(type, first), two = encode(type, second);
  const both = new Uint8Array(one.length + two.length);
  both.set(one);
  both.set(two, one.length);
  return decode(type, both);
}

/** The bytes of a message; what is not set, `undefined` or `null` is left out. Throws `WireError` for a name that no field has. */
export function encode(type, value) {
  const writer = new Writer();
  writeMessage(type, value, writer);
  return writer.take();
}

function writeMessage(type, value, writer) {
  const { list } = type.table;
  for (const name of Object.keys(value)) {
    // A field that is misspelt would be a request that says something else.
    if (!list.some((field) => field.name === name)) throw new WireError(`${type.name} has no ${name}`);
  }
  for (const field of list) {
    const given = value[field.name];
    if (given === undefined || given === null) continue;
    if (field.shape === "map") {
      for (const [key, item] of Object.entries(given)) {
        writer.tag(field.number, LENGTH);
        writer.bytes(encode(field.entry, { key, value: item }));
      }
    } else if (field.shape === "list") writeList(field, given, writer);
    else if (field.type) writeNested(field, given, writer);
    else if (field.hasPresence || !(field.scalar.isZero ? field.scalar.isZero(given) : given == field.scalar.zero)) {
      writer.tag(field.number, field.scalar.wire);
      field.scalar.write(writer, given);
    }
  }
}

function writeNested(field, value, writer) {
  writer.tag(field.number, LENGTH);
  writer.bytes(encode(field.type, value));
}

function writeList(field, items, writer) {
  if (field.type) for (const item of items) writeNested(field, item, writer);
  else if (field.scalar.wire === LENGTH) {
    for (const item of items) {
      writer.tag(field.number, LENGTH);
      field.scalar.write(writer, item);
    }
  } else if (items.length) {
    const packed = new Writer();
    for (const item of items) field.scalar.write(packed, item);
    writer.tag(field.number, LENGTH);
    writer.bytes(packed.take());
  }
}

class Reader {
  constructor(bytes) {
    this.data = bytes;
    this.at = 0;
  }

  get isAtEnd() { return this.at >= this.data.length; }

  /** A number where it is exact, else a BigInt; unsigned, of 64 bits. */
  varint() {
    let value = 0, factor = 1, large = 0n;
    for (let i = 0; i < 10; i++) {
      if (this.isAtEnd) throw new WireError("a number ends in the middle");
      const byte = this.data[this.at++], bits = byte & 0x7f;
      if (i < 7) { value += bits * factor; factor *= 128; }
      else large |= BigInt(bits) << BigInt(7 * i);
      if (byte < 0x80) {
        if (i === 9 && bits > 1) throw new WireError("a number of more than 64 bits");
        return large ? large | BigInt(value) : value;
      }
    }
    throw new WireError("a number without an end");
  }

  tag() {
    const tag = this.varint();
    if (typeof tag !== "number" || tag > 0xffffffff) throw new WireError("a field's number is too large");
    const number = Math.floor(tag / 8);
    if (number === 0) throw new WireError("a field has the number 0");
    return [number, tag % 8];
  }

  bytes() {
    const length = this.varint();
    return this.take(typeof length === "number" ? length : Infinity);
  }

  take(length) {
    if (this.at + length > this.data.length) throw new WireError("a field ends in the middle");
    return this.data.subarray(this.at, (this.at += length));
  }

  view(length) {
    const bytes = this.take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  skip(number, wire, depth) {
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.take(8);
    else if (wire === LENGTH) this.bytes();
    else if (wire === FIXED32) this.take(4);
    else if (wire === START_GROUP) this.skipGroup(number, depth + 1);
    else throw new WireError("a field of no known shape");
  }

  skipGroup(number, depth) {
    if (depth > MAX_DEPTH) throw new WireError("groups within groups without end");
    for (;;) {
      const [inner, wire] = this.tag();
      if (wire === END_GROUP) {
        if (inner !== number) throw new WireError("a group ends as another one");
        return;
      }
      this.skip(inner, wire, depth);
    }
  }
}

class Writer {
  constructor() {
    this.data = new Uint8Array(64);
    this.size = 0;
  }

  take() { return this.data.slice(0, this.size); }

  room(length) {
    if (this.size + length > this.data.length) {
      const larger = new Uint8Array(Math.max(2 * this.data.length, this.size + length));
      larger.set(this.data.subarray(0, this.size));
      this.data = larger;
    }
    return (this.size += length) - length;
  }

  /** A whole number or a BigInt; negative ones are of 64 bits. */
  varint(value) {
    if (typeof value === "number" && !Number.isInteger(value)) throw new WireError(`${value} is no whole number`);
    if (value < 0 || value > 0xffffffff) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 0x7fn; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
      this.byte(Number(rest));
      return;
    }
    let rest = Number(value);
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  byte(value) {
    const at = this.room(1); // first: it may move the data
    this.data[at] = value;
  }

  tag(number, wire) { this.varint(number * 8 + wire); }

  bytes(bytes) {
    this.varint(bytes.length);
    const at = this.room(bytes.length);
    this.data.set(bytes, at);
  }

  fixed(length, write) {
    const at = this.room(length);
    write(new DataView(this.data.buffer, at, length));
  }
}
