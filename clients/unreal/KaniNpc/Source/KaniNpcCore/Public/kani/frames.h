// gRPC-Web's framing: five bytes before every message, and the trailers as one more frame at the end.
#pragma once

#include <string>
#include <string_view>

#include "kani/call_status.h"

namespace kani {

// Takes a response's body apart, however it was cut on its way. Not thread-safe.
class KANI_API FrameReader {
 public:
  static constexpr std::size_t kMaxMessageBytes = 34 * 1024 * 1024;  // an exported voice has at most 32 MiB

  // Ends what `Next` lent.
  void Push(std::string_view data);
  // The next message, if it is whole: lent until `Push`.
  bool Next(std::string_view* message);
  // Something came that is no frame; nothing more is read.
  bool is_broken() const { return is_broken_; }
  // Null until they came.
  const Headers* trailers() const { return has_trailers_ ? &trailers_ : nullptr; }

 private:
  std::string data_;
  std::size_t at_ = 0;
  Headers trailers_;
  bool has_trailers_ = false;
  bool is_broken_ = false;
};

// A message as it stands in a request's body.
template <typename T>
std::string Frame(const T& message) {
  const std::string data = Serialize(message);
  std::string frame(5, '\0');
  for (int i = 0; i < 4; ++i) frame[1 + static_cast<std::size_t>(i)] = static_cast<char>(data.size() >> (24 - 8 * i) & 0xFF);
  return frame + data;
}

}  // namespace kani
