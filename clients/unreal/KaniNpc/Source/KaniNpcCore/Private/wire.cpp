#include "kani/wire.h"

namespace kani {
namespace {

enum WireType : std::uint32_t { kVarint, kFixed64, kLength, kStartGroup, kEndGroup, kFixed32 };

template <typename Bits>
Bits LittleEndian(const std::uint8_t* from) {
  Bits bits = 0;
  for (std::size_t i = sizeof(Bits); i-- > 0;) bits = static_cast<Bits>(bits << 8 | from[i]);
  return bits;
}

template <typename Number, typename Bits>
Number FromBits(Bits bits) {
  static_assert(sizeof(Number) == sizeof(Bits));
  Number number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

template <typename Bits, typename Number>
void AppendBits(Number number, std::string* to) {
  static_assert(sizeof(Number) == sizeof(Bits));
  Bits bits;
  std::memcpy(&bits, &number, sizeof bits);
  for (std::size_t i = 0; i < sizeof bits; ++i) to->push_back(static_cast<char>(bits >> (8 * i) & 0xFF));
}

}  // namespace

std::uint32_t WireReader::Tag() {
  if (AtEnd()) return 0;
  const std::uint64_t tag = Varint();
  if (tag > UINT32_MAX || tag >> 3 == 0) {
    Fail();
    return 0;
  }
  return static_cast<std::uint32_t>(tag);
}

double WireReader::Double() {
  Limit from;
  return Take(8, &from) ? FromBits<double>(LittleEndian<std::uint64_t>(from)) : 0;
}

float WireReader::Float() {
  Limit from;
  return Take(4, &from) ? FromBits<float>(LittleEndian<std::uint32_t>(from)) : 0;
}

std::string WireReader::String() {
  const std::string_view text = View();
  if (!IsUtf8(text)) {
    Fail();
    return {};
  }
  return std::string(text);
}

void WireReader::MapEntry(std::map<std::string, std::string>* map) {
  const Limit outer = Enter();
  std::string key, value;
  bool is_known = true;
  while (const std::uint32_t tag = Tag()) {
    if (tag == (1 << 3 | kLength)) {
      key = String();
    } else if (tag == (2 << 3 | kLength)) {
      value = String();
    } else {
      // More than a key and a value is as a whole something that is not known; protobuf sees it so.
      is_known = false;
      Skip(tag);
    }
  }
  Leave(outer);
  if (is_known) (*map)[std::move(key)] = std::move(value);
}

void WireReader::Skip(std::uint32_t tag) {
  Limit from;
  switch (tag & 7) {
    case kVarint: Varint(); break;
    case kFixed64: Take(8, &from); break;
    case kLength: View(); break;
    case kStartGroup: SkipGroup(tag >> 3); break;
    case kFixed32: Take(4, &from); break;
    default: Fail();
  }
}

void WireReader::SkipGroup(std::uint32_t number) {
  if (++depth_ > kMaxDepth) Fail();
  while (true) {
    const std::uint32_t tag = Tag();
    if (tag == 0) Fail();  // the end of the group never came
    if (!ok_ || tag == (number << 3 | kEndGroup)) break;
    Skip(tag);
  }
  --depth_;
}

WireReader::Limit WireReader::Enter() {
  const Limit outer = end_;
  const std::string_view piece = View();
  if (ok_) {
    at_ = reinterpret_cast<Limit>(piece.data());
    end_ = at_ + piece.size();
  }
  return outer;
}

std::uint64_t WireReader::Varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (AtEnd()) break;
    const std::uint8_t next = *at_++;
    value |= static_cast<std::uint64_t>(next & 0x7F) << shift;
    if (next < 0x80) return value;
  }
  Fail();
  return 0;
}

std::string_view WireReader::View() {
  const std::uint64_t size = Varint();
  Limit from;
  if (!Take(size, &from)) return {};
  return {reinterpret_cast<const char*>(from), static_cast<std::size_t>(size)};
}

bool WireReader::Take(std::uint64_t size, Limit* from) {
  if (!ok_ || size > static_cast<std::uint64_t>(end_ - at_)) {
    Fail();
    return false;
  }
  *from = at_;
  at_ += size;
  return true;
}

void WireWriter::Double(double value) { AppendBits<std::uint64_t>(value, &data_); }

void WireWriter::Float(float value) { AppendBits<std::uint32_t>(value, &data_); }

void WireWriter::Bytes(std::uint32_t tag, std::string_view value) {
  Varint(tag);
  Varint(value.size());
  data_.append(value);
}

void WireWriter::Map(std::uint32_t tag, const std::map<std::string, std::string>& map) {
  for (const auto& [key, value] : map) {
    const std::size_t mark = Begin(tag);
    String(1 << 3 | kLength, key);
    String(2 << 3 | kLength, value);
    End(mark);
  }
}

std::size_t WireWriter::Begin(std::uint32_t tag) {
  Varint(tag);
  return data_.size();
}

void WireWriter::End(std::size_t mark) {
  const std::string piece = data_.substr(mark);
  data_.resize(mark);
  Varint(piece.size());
  data_.append(piece);
}

void WireWriter::Varint(std::uint64_t value) {
  for (; value > 0x7F; value >>= 7) data_.push_back(static_cast<char>((value & 0x7F) | 0x80));
  data_.push_back(static_cast<char>(value));
}

bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    // Shortest forms only, no surrogates, nothing above U+10FFFF: what may follow the first byte says it all.
    std::size_t more = 0;
    std::uint8_t low = 0x80, high = 0xBF;
    if (lead < 0x80) {
      more = 0;
    } else if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    if (text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k, low = 0x80, high = 0xBF) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if (next < low || next > high) return false;
    }
    i += more + 1;
  }
  return true;
}

}  // namespace kani
