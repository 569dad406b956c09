#include "kani/frames.h"

#include <algorithm>

namespace kani {
namespace {
constexpr std::size_t kPrefixBytes = 5;
constexpr unsigned kTrailersFlag = 0x80;
}  // namespace

void FrameReader::Push(std::string_view data) {
  data_.erase(0, at_);
  at_ = 0;
  data_.append(data);
}

bool FrameReader::Next(std::string_view* message) {
  while (!is_broken_ && data_.size() - at_ >= kPrefixBytes) {
    const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(data_[at_ + i]); };
    const unsigned flags = byte(0);
    const std::size_t length = static_cast<std::size_t>(byte(1)) << 24 | static_cast<std::size_t>(byte(2)) << 16 |
                               static_cast<std::size_t>(byte(3)) << 8 | byte(4);
    if (has_trailers_ || (flags & ~kTrailersFlag) != 0 || length > kMaxMessageBytes) {
      is_broken_ = true;
      return false;
    }
    if (data_.size() - at_ - kPrefixBytes < length) return false;
    const std::string_view content = std::string_view(data_).substr(at_ + kPrefixBytes, length);
    at_ += kPrefixBytes + length;
    if (flags == 0) {
      *message = content;
      return true;
    }
    has_trailers_ = true;
    for (std::size_t from = 0; from < content.size();) {
      const std::size_t end = std::min(content.find('\n', from), content.size());
      AddHeaderLine(content.substr(from, end - from), &trailers_);
      from = end + 1;
    }
  }
  return false;
}

}  // namespace kani
