// How long to wait before the same call is tried again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "kani/wire.h"

namespace kani {

// 0.25 s, then twice as long each time up to 8 s, of which a random half is left out: games that lost their server
// together do not come back together. Never less than the server asked for.
class Backoff {
 public:
  explicit Backoff(std::uint32_t seed) : random_(seed * 2654435761u + 1) {}

  double NextSeconds(std::optional<double> retry_after_s) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    const double seconds = next_s_ * (0.5 + 0.5 * random_ / 4294967296.0);
    next_s_ = std::min(next_s_ * 2, 8.0);
    return std::max(seconds, retry_after_s.value_or(0));
  }

 private:
  std::uint32_t random_;
  double next_s_ = 0.25;
};

}  // namespace kani
