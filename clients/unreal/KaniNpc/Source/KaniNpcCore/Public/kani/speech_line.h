// One line of one NPC: bytes of a response in, sound for the audio thread out. Knows no HTTP library and no engine.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string_view>

#include "kani/frames.h"
#include "kani/speech_player.h"
#include "kani/timing_track.h"
#include "kani/v1/speech_service.h"

namespace kani {

// Judges a stream as it comes: one header, sound without gaps, one end that counts it. `Receive` and `Finish` belong to
// one thread at a time, the transport's; the rest may be asked from any thread.
class KANI_API SpeechLine {
 public:
  // The request must ask for LINEAR16, which is the default.
  explicit SpeechLine(double prebuffer_s) : prebuffer_s_(prebuffer_s) {}

  // The next bytes of a gRPC-Web response's body. False: nothing more is wanted, end the call.
  bool Receive(std::string_view body);
  // The same for a message that came by itself, from a transport with a framing of its own.
  bool ReceiveMessage(std::string_view message);
  // The body is over. `transport` is how the connection ended, and `headers` are the response's, which say the status of a
  // call that had no first message.
  void Finish(const CallStatus& transport, const Headers& headers);

  // What `Finish` would say. Where it may be retried and nothing was begun, `Restart` and call again.
  CallStatus Judge(const CallStatus& transport, const Headers& headers) const;
  void Restart() { frames_ = FrameReader(); }

  // Silent within a few milliseconds. The caller ends the call.
  void Stop();

  SpeechPlayer& player() { return player_; }
  const SpeechPlayer& player() const { return player_; }
  const TimingTrack& timing() const { return timing_; }

  // Empty until the line began.
  std::optional<SpeechHeader> header() const;
  // Empty until all was received, and for ever where that failed.
  std::optional<SpeechEnd> end() const;
  // Of the call; OK until it ended, and for a line that was merely stopped.
  CallStatus status() const;
  bool is_stopped() const { return is_stopped_.load(std::memory_order_acquire); }
  bool is_received() const { return is_received_.load(std::memory_order_acquire); }
  // It may be asked for again: nothing of it was heard.
  bool is_begun() const { return is_begun_.load(std::memory_order_acquire); }
  // Nothing more is heard of it.
  bool is_over() const { return is_received() && player_.state() == PlayerState::kFinished; }

 private:
  bool Take(const SynthesizeResponse& response);

  const double prebuffer_s_;
  FrameReader frames_;
  std::int64_t samples_ = 0;
  bool is_whole_ = true;
  bool has_end_ = false;
  SpeechEnd received_end_;

  SpeechPlayer player_;
  TimingTrack timing_;
  std::atomic<bool> is_begun_{false}, is_received_{false}, is_stopped_{false};

  mutable std::mutex lock_;
  std::optional<SpeechHeader> header_;
  std::optional<SpeechEnd> end_;
  CallStatus status_;
};

}  // namespace kani
