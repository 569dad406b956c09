// One line between the network and the audio thread: what is played when, and what is heard when nothing is there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <vector>

#include "kani/wire.h"

namespace kani {

enum class PlayerState : int {
  kBuffering,  // waiting for enough sound to start, or to go on after an underrun: silent
  kPlaying,
  kFinished,  // all was played, or it was stopped: silent for ever
};

// `Read` belongs to one thread, the engine's audio thread: it takes no lock, allocates nothing and waits for nobody. The
// rest may be called from any thread. Never stale sound: what is missing is silence, and edges are faded.
class KANI_API SpeechPlayer {
 public:
  SpeechPlayer();

  // The line's rate, and how much sound shall be in hand before it is heard. Once.
  void Begin(int sample_rate_hz, double prebuffer_s);
  // Little-endian 16-bit samples, all of which are taken. What the ring has no room for waits in `backlog`.
  void Write(std::string_view linear16);
  // Moves backlog into the ring; now and then, for players whose line was received long before it is played.
  void Pump();
  // No more comes.
  void Complete();
  // Fades out now.
  void Stop() { is_stopped_.store(true, std::memory_order_release); }

  // Fills `out` with speech or silence.
  void Read(std::int16_t* out, std::size_t num_samples);

  PlayerState state() const { return state_.load(std::memory_order_acquire); }
  int sample_rate_hz() const { return rate_.load(std::memory_order_acquire); }
  // Of the line: the clock that SpeechTiming counts by.
  std::int64_t samples_played() const { return played_.load(std::memory_order_acquire); }
  // How often sound was missing in the middle of the line.
  std::int64_t underruns() const { return underruns_.load(std::memory_order_acquire); }
  // Received and not yet played.
  std::size_t samples_waiting() const;
  // Of those, what is beyond the ring: a listener that is paused. A transport that can wait should, above a few seconds.
  std::size_t backlog() const { return backlog_size_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t kCapacity = std::size_t{1} << 18;  // 5.4 s at 48 kHz: twice what a server sends ahead
  static constexpr double kFadeS = 0.008;

  void PumpLocked();
  std::size_t InRing() const {
    return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_acquire);
  }
  void StartIfReady();
  std::size_t Play(std::int16_t* out, std::size_t num_samples);

  // Writers hold the lock; the audio thread never asks for it.
  mutable std::mutex writers_;
  std::deque<std::int16_t> backlog_;
  bool complete_after_backlog_ = false;

  std::vector<std::int16_t> ring_;
  std::atomic<std::size_t> written_{0}, read_{0}, backlog_size_{0}, prebuffer_{0};
  std::atomic<bool> is_complete_{false}, is_stopped_{false};
  std::atomic<int> rate_{0};
  std::atomic<PlayerState> state_{PlayerState::kBuffering};
  std::atomic<std::int64_t> played_{0}, underruns_{0};
  // The audio thread's own.
  float gain_ = 1;
};

}  // namespace kani
