#include "kani/speech_line.h"

#include <algorithm>

namespace kani {

bool SpeechLine::Receive(std::string_view body) {
  frames_.Push(body);
  std::string_view message;
  while (is_whole_ && frames_.Next(&message))
    if (!ReceiveMessage(message)) return false;
  return is_whole_ && !frames_.is_broken() && !is_stopped_;
}

bool SpeechLine::ReceiveMessage(std::string_view message) {
  SynthesizeResponse response;
  is_whole_ = is_whole_ && Parse(message, &response) && Take(response);
  return is_whole_ && !is_stopped_;
}

bool SpeechLine::Take(const SynthesizeResponse& response) {
  if (has_end_) return false;
  if (const auto* header = std::get_if<SynthesizeResponse::kHeader>(&response.event)) {
    if (is_begun()) return false;
    // A machine that is slower than speech says how much it needs.
    player_.Begin(header->sample_rate_hz, std::max(prebuffer_s_, header->recommended_prebuffer_ms / 1000.0));
    {
      const std::lock_guard<std::mutex> lock(lock_);
      header_ = *header;
    }
    is_begun_.store(true, std::memory_order_release);
  } else if (const auto* timing = std::get_if<SynthesizeResponse::kTiming>(&response.event)) {
    timing_.Add(*timing);
  } else if (const auto* audio = std::get_if<SynthesizeResponse::kAudio>(&response.event)) {
    if (!is_begun() || audio->first_sample != samples_ || audio->data.size() % 2 != 0) return false;
    samples_ += static_cast<std::int64_t>(audio->data.size() / 2);
    player_.Write(audio->data);
  } else if (const auto* end = std::get_if<SynthesizeResponse::kEnd>(&response.event)) {
    if (!is_begun() || end->total_samples != samples_) return false;
    has_end_ = true;
    received_end_ = *end;
  }
  return true;  // what is none of these is of a later version
}

void SpeechLine::Finish(const CallStatus& transport, const Headers& headers) {
  CallStatus status = Judge(transport, headers);
  const FinishReason reason = has_end_ ? received_end_.finish_reason : FinishReason::kUnspecified;
  // Somebody wants silence now, not when what is in hand was played; a voice that lost its consent must not be heard any
  // more. After a lost connection the rest may be.
  const bool is_lost = status.code == StatusCode::kUnavailable || status.code == StatusCode::kDeadlineExceeded;
  if (reason == FinishReason::kInterrupted || reason == FinishReason::kSuperseded || (!status.ok() && !is_lost))
    player_.Stop();
  {
    const std::lock_guard<std::mutex> lock(lock_);
    if (is_stopped_) status = {};
    if (status.ok() && has_end_) end_ = received_end_;
    status_ = std::move(status);
  }
  player_.Complete();
  is_received_.store(true, std::memory_order_release);
}

CallStatus SpeechLine::Judge(const CallStatus& transport, const Headers& headers) const {
  CallStatus status = transport;
  if (!is_whole_) {
    status = {};
    status.code = StatusCode::kDataLoss;
    status.message = "the speech that came is not whole";
    return status;
  }
  if (frames_.is_broken()) {
    status = {};
    status.code = StatusCode::kInternal;
    status.message = "the answer is not gRPC-Web";
    return status;
  }
  if (!transport.ok()) return status;
  const bool is_in_headers = headers.count("grpc-status") != 0;
  if (frames_.trailers() == nullptr && !is_in_headers) {
    status.code = StatusCode::kUnavailable;
    status.message = "the connection ended in the middle";
    return status;
  }
  status = StatusFrom(frames_.trailers() ? *frames_.trailers() : headers);
  if (status.ok() && !has_end_) {
    status.code = StatusCode::kDataLoss;
    status.message = "the speech that came is not whole";
  }
  return status;
}

void SpeechLine::Stop() {
  is_stopped_.store(true, std::memory_order_release);
  player_.Stop();
}

std::optional<SpeechHeader> SpeechLine::header() const {
  const std::lock_guard<std::mutex> lock(lock_);
  return header_;
}

std::optional<SpeechEnd> SpeechLine::end() const {
  const std::lock_guard<std::mutex> lock(lock_);
  return end_;
}

CallStatus SpeechLine::status() const {
  const std::lock_guard<std::mutex> lock(lock_);
  return status_;
}

}  // namespace kani
