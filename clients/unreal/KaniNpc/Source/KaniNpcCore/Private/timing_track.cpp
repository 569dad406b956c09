#include "kani/timing_track.h"

#include <algorithm>

namespace kani {

void TimingTrack::Add(const SpeechTiming& timing) {
  const std::lock_guard<std::mutex> lock(lock_);
  const std::size_t hops = std::min(timing.openness.size(), timing.weights.size() / kNumVisemes);
  // Hops of another length, or not where the last ones ended, belong to no line of ours.
  const bool fits = timing.hop_samples > 0 && (hop_samples_ == 0 || timing.hop_samples == hop_samples_);
  if (!fits || timing.first_sample != static_cast<std::int64_t>(hops_.size()) * timing.hop_samples) return;
  hop_samples_ = timing.hop_samples;
  for (std::size_t hop = 0; hop < hops; ++hop) {
    Mouth mouth;
    mouth.openness = timing.openness[hop];
    std::copy_n(timing.weights.begin() + static_cast<std::ptrdiff_t>(hop * kNumVisemes), kNumVisemes, mouth.weights.begin());
    hops_.push_back(mouth);
  }
}

Mouth TimingTrack::At(std::int64_t sample) const {
  const std::lock_guard<std::mutex> lock(lock_);
  if (hop_samples_ == 0 || sample < 0) return {};
  // A hop speaks for its middle.
  const double hop = std::max(0.0, static_cast<double>(sample) / hop_samples_ - 0.5);
  if (hop >= static_cast<double>(hops_.size())) return {};
  const auto first = static_cast<std::size_t>(hop);
  const Mouth& a = hops_[first];
  const Mouth& b = hops_[std::min(first + 1, hops_.size() - 1)];
  const float share = static_cast<float>(hop - static_cast<double>(first));
  Mouth mouth;
  mouth.openness = a.openness + (b.openness - a.openness) * share;
  for (std::size_t i = 0; i < kNumVisemes; ++i) mouth.weights[i] = a.weights[i] + (b.weights[i] - a.weights[i]) * share;
  return mouth;
}

}  // namespace kani
