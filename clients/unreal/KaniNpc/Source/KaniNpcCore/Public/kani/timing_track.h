// What the mouth does, by the samples that were played.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "kani/v1/speech_service.h"

namespace kani {

// The order of the wire.
enum class Viseme : std::uint8_t { kSil, kPP, kFF, kTH, kDD, kKK, kCH, kSS, kNN, kRR, kAA, kE, kIH, kOH, kOU };

constexpr std::size_t kNumVisemes = 15;

struct Mouth {
  float openness = 0;                          // 0 is a closed mouth, 1 an open one
  std::array<float, kNumVisemes> weights{{1}};  // silence alone
};

// Filled as timing arrives, asked once a picture. Any thread but the audio thread.
class KANI_API TimingTrack {
 public:
  void Add(const SpeechTiming& timing);
  // Between the hops around a sample. A closed mouth before the line, after it and where nothing is known.
  Mouth At(std::int64_t sample) const;

 private:
  mutable std::mutex lock_;
  std::vector<Mouth> hops_;
  std::int32_t hop_samples_ = 0;
};

}  // namespace kani
