// Protobuf's wire format, as much of it as the generated messages need. Knows no message, throws nothing.
//
// Judged by Python's protobuf: what it takes is taken here, what it refuses is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Unreal's build names the module's export macro; elsewhere there is one binary and nothing to export.
#ifdef KANINPCCORE_API
#define KANI_API KANINPCCORE_API
#else
#define KANI_API
#endif

namespace kani {

template <typename Number>
bool IsZeroBits(Number value) {
  const Number zero = 0;
  return std::memcmp(&value, &zero, sizeof value) == 0;
}

// Reads one message out of bytes that outlive it. After the first thing that is not as it should be, `ok` is false and
// everything reads as zero.
class KANI_API WireReader {
 public:
  using Limit = const std::uint8_t*;

  explicit WireReader(std::string_view data)
      : at_(reinterpret_cast<Limit>(data.data())), end_(at_ + data.size()) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return !ok_ || at_ == end_; }

  // The next field's number and wire type in one; 0 at the end.
  std::uint32_t Tag();
  bool Bool() { return Varint() != 0; }
  std::int32_t Int32() { return static_cast<std::int32_t>(static_cast<std::uint32_t>(Varint())); }
  std::int64_t Int64() { return static_cast<std::int64_t>(Varint()); }
  double Double();
  float Float();
  std::string Bytes() { return std::string(View()); }
  // Fails where the bytes are not UTF-8.
  std::string String();
  void MapEntry(std::map<std::string, std::string>* map);
  void Skip(std::uint32_t tag);

  template <typename T>
  void Message(T* message) {
    const Limit outer = Enter();
    if (++depth_ > kMaxDepth) Fail();
    message->MergeFrom(*this);
    --depth_;
    Leave(outer);
  }

  // Into a piece that says how long it is. Returns what `Leave` wants.
  Limit Enter();
  void Leave(Limit outer) { end_ = outer; }

 private:
  static constexpr int kMaxDepth = 100;

  void Fail() { ok_ = false; }
  std::uint64_t Varint();
  std::string_view View();
  bool Take(std::uint64_t size, Limit* from);
  void SkipGroup(std::uint32_t number);

  Limit at_;
  Limit end_;
  int depth_ = 0;
  bool ok_ = true;
};

// Writes messages one behind another.
class KANI_API WireWriter {
 public:
  const std::string& written() const { return data_; }
  std::string Release() { return std::move(data_); }
  void Clear() { data_.clear(); }

  void Bool(bool value) { Varint(value ? 1 : 0); }
  void Int32(std::int32_t value) { Int64(value); }  // a negative one has ten bytes
  void Int64(std::int64_t value) { Varint(static_cast<std::uint64_t>(value)); }
  void Double(double value);
  void Float(float value);

  void Bool(std::uint32_t tag, bool value) { Varint(tag), Bool(value); }
  void Int32(std::uint32_t tag, std::int32_t value) { Varint(tag), Int32(value); }
  void Int64(std::uint32_t tag, std::int64_t value) { Varint(tag), Int64(value); }
  void Double(std::uint32_t tag, double value) { Varint(tag), Double(value); }
  void Float(std::uint32_t tag, float value) { Varint(tag), Float(value); }
  void String(std::uint32_t tag, std::string_view value) { Bytes(tag, value); }
  void Bytes(std::uint32_t tag, std::string_view value);
  void Map(std::uint32_t tag, const std::map<std::string, std::string>& map);

  template <typename T>
  void Message(std::uint32_t tag, const T& message) {
    const std::size_t mark = Begin(tag);
    message.WriteTo(*this);
    End(mark);
  }

  // Opens a piece whose length is known only at its `End`, which wants what this returns.
  std::size_t Begin(std::uint32_t tag);
  void End(std::size_t mark);

 private:
  void Varint(std::uint64_t value);

  std::string data_;
};

// False where `data` is not a `T`.
template <typename T>
bool Parse(std::string_view data, T* message) {
  WireReader input(data);
  return message->MergeFrom(input);
}

template <typename T>
std::string Serialize(const T& message) {
  WireWriter output;
  message.WriteTo(output);
  return output.Release();
}

KANI_API bool IsUtf8(std::string_view text);

// A call with one answer.
template <typename RequestType, typename ResponseType>
struct UnaryMethod {
  using Request = RequestType;
  using Response = ResponseType;
  const char* path;
};

// A call with any number of answers.
template <typename RequestType, typename ResponseType>
struct StreamingMethod {
  using Request = RequestType;
  using Response = ResponseType;
  const char* path;
};

}  // namespace kani
