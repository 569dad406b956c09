#include "kani/speech_player.h"

#include <algorithm>
#include <cmath>

namespace kani {

SpeechPlayer::SpeechPlayer() : ring_(kCapacity) {}

void SpeechPlayer::Begin(int sample_rate_hz, double prebuffer_s) {
  const double samples = std::max(0.0, sample_rate_hz * prebuffer_s);
  prebuffer_.store(std::min(static_cast<std::size_t>(samples), kCapacity / 2), std::memory_order_relaxed);
  rate_.store(sample_rate_hz, std::memory_order_release);
}

void SpeechPlayer::Write(std::string_view linear16) {
  const std::lock_guard<std::mutex> lock(writers_);
  for (std::size_t i = 0; i + 1 < linear16.size(); i += 2) {
    const auto low = static_cast<unsigned char>(linear16[i]), high = static_cast<unsigned char>(linear16[i + 1]);
    backlog_.push_back(static_cast<std::int16_t>(static_cast<std::uint16_t>(high << 8 | low)));
  }
  PumpLocked();
}

void SpeechPlayer::Pump() {
  const std::lock_guard<std::mutex> lock(writers_);
  PumpLocked();
}

void SpeechPlayer::Complete() {
  const std::lock_guard<std::mutex> lock(writers_);
  complete_after_backlog_ = true;
  PumpLocked();
}

void SpeechPlayer::PumpLocked() {
  std::size_t at = written_.load(std::memory_order_relaxed);
  const std::size_t room = kCapacity - (at - read_.load(std::memory_order_acquire));
  const std::size_t count = std::min(room, backlog_.size());
  for (std::size_t i = 0; i < count; ++i, ++at) ring_[at & (kCapacity - 1)] = backlog_[i];
  backlog_.erase(backlog_.begin(), backlog_.begin() + static_cast<std::ptrdiff_t>(count));
  written_.store(at, std::memory_order_release);
  backlog_size_.store(backlog_.size(), std::memory_order_release);
  if (complete_after_backlog_ && backlog_.empty()) is_complete_.store(true, std::memory_order_release);
}

std::size_t SpeechPlayer::samples_waiting() const {
  const std::lock_guard<std::mutex> lock(writers_);
  return InRing() + backlog_.size();
}

void SpeechPlayer::Read(std::int16_t* out, std::size_t num_samples) {
  std::size_t given = 0;
  if (state() == PlayerState::kBuffering) StartIfReady();
  if (state() == PlayerState::kPlaying) given = Play(out, num_samples);
  std::fill(out + given, out + num_samples, std::int16_t{0});
}

void SpeechPlayer::StartIfReady() {
  if (is_stopped_.load(std::memory_order_acquire)) {
    state_.store(PlayerState::kFinished, std::memory_order_release);
    return;
  }
  // In this order: what was written before the end was announced is seen behind it.
  const bool is_complete = is_complete_.load(std::memory_order_acquire);
  if (!is_complete && (sample_rate_hz() == 0 || InRing() < std::max<std::size_t>(1, prebuffer_.load()))) return;
  gain_ = samples_played() == 0 ? 1.0f : 0.0f;  // a line's own beginning needs no fade
  state_.store(PlayerState::kPlaying, std::memory_order_release);
}

std::size_t SpeechPlayer::Play(std::int16_t* out, std::size_t num_samples) {
  const bool is_complete = is_complete_.load(std::memory_order_acquire);
  const bool is_stopped = is_stopped_.load(std::memory_order_acquire);
  std::size_t at = read_.load(std::memory_order_relaxed);
  const std::size_t given = std::min(num_samples, InRing());
  PlayerState next = PlayerState::kPlaying;
  if (given < num_samples) {
    next = is_complete ? PlayerState::kFinished : PlayerState::kBuffering;
    if (!is_complete && !is_stopped) underruns_.fetch_add(1, std::memory_order_relaxed);
  }
  // Before silence that is not the line's own, down over what is there; after it, up.
  const auto fade = std::max<std::size_t>(1, static_cast<std::size_t>(kFadeS * std::max(1, sample_rate_hz())));
  const float step = 1.0f / static_cast<float>(fade);
  const std::size_t down_from = next == PlayerState::kBuffering ? given - std::min(given, fade) : given;
  for (std::size_t i = 0; i < given; ++i, ++at) {
    if (is_stopped) {
      gain_ = std::max(0.0f, gain_ - step);
    } else if (i >= down_from) {
      gain_ = std::min(gain_, static_cast<float>(given - 1 - i) / static_cast<float>(given - down_from));
    } else if (gain_ < 1) {
      gain_ = std::min(1.0f, gain_ + step);
    }
    const std::int16_t sample = ring_[at & (kCapacity - 1)];
    out[i] = gain_ == 1 ? sample : static_cast<std::int16_t>(std::lrint(static_cast<float>(sample) * gain_));
  }
  read_.store(at, std::memory_order_release);
  played_.fetch_add(static_cast<std::int64_t>(given), std::memory_order_release);
  if (is_stopped && (gain_ <= 0 || given < num_samples)) next = PlayerState::kFinished;
  if (next != PlayerState::kPlaying) state_.store(next, std::memory_order_release);
  return given;
}

}  // namespace kani
