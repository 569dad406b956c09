// What the core does without a network and without an engine.
#include <cmath>
#include <fstream>
#include <iterator>
#include <vector>

#include "check.h"
#include "kani/backoff.h"
#include "kani/speech_line.h"

namespace {

std::string Framed(int flags, std::string_view data) {
  std::string frame(1, static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(data.size() >> shift & 0xFF));
  return frame.append(data);
}

std::string Linear16(const std::vector<double>& samples) {
  std::string out;
  for (const double sample : samples) {
    const auto value = static_cast<std::uint16_t>(static_cast<std::int16_t>(std::lround(sample * 32767)));
    out.push_back(static_cast<char>(value & 0xFF));
    out.push_back(static_cast<char>(value >> 8));
  }
  return out;
}

std::vector<double> Sine(std::size_t count) {
  std::vector<double> samples(count);
  for (std::size_t i = 0; i < count; ++i) samples[i] = 0.5 * std::sin(0.05 * static_cast<double>(i));
  return samples;
}

const char kFine[] = "grpc-status:0\r\n";

template <std::size_t kCase, typename T>
std::string Event(const T& value) {
  kani::SynthesizeResponse response;
  response.event.emplace<kCase>(value);
  return Framed(0, kani::Serialize(response));
}

std::string Header(int rate = 22050) {
  kani::SpeechHeader header;
  header.sample_rate_hz = rate;
  return Event<kani::SynthesizeResponse::kHeader>(header);
}

std::string Audio(std::int64_t first_sample, std::size_t num_samples) {
  kani::SpeechAudio audio;
  audio.first_sample = first_sample;
  audio.data = Linear16(std::vector<double>(num_samples, 0.5));
  return Event<kani::SynthesizeResponse::kAudio>(audio);
}

std::string End(std::int64_t total, kani::FinishReason reason = kani::FinishReason::kEndOfSpeech) {
  kani::SpeechEnd end;
  end.total_samples = total;
  end.finish_reason = reason;
  return Event<kani::SynthesizeResponse::kEnd>(end);
}

kani::StatusCode CodeOf(const std::string& body) {
  kani::SpeechLine line(0.1);
  line.Receive(body);
  line.Finish({}, {});
  REQUIRE(line.is_received());
  return line.status().code;
}

std::size_t Sounding(const std::vector<std::int16_t>& samples) {
  std::size_t count = 0;
  for (const auto sample : samples) count += sample != 0;
  return count;
}

}  // namespace

CHECK_NAMED(AnyCuttingGivesTheSameMessages) {
  const std::vector<std::string> sent = {"", "a", std::string(3528, 'x'), std::string(100000, 'y'), "z"};
  std::string body;
  for (const auto& message : sent) body += Framed(0, message);
  body += Framed(0x80, "grpc-status: 0\r\nGrpc-Message: fine\r\n");
  for (const std::size_t cut : {std::size_t{1}, std::size_t{5}, std::size_t{4096}, body.size()}) {
    kani::FrameReader reader;
    std::vector<std::string> came;
    for (std::size_t at = 0; at < body.size(); at += cut) {
      reader.Push(std::string_view(body).substr(at, cut));
      std::string_view message;
      while (reader.Next(&message)) came.emplace_back(message);
    }
    REQUIRE(came == sent);
    REQUIRE(reader.trailers() != nullptr && reader.trailers()->at("grpc-message") == "fine");
    REQUIRE(!reader.is_broken());
  }
}

CHECK_NAMED(WhatIsNoFrameIsRefused) {
  for (const std::string& body :
       {std::string("\0\x7F\xFF\xFF\xFF", 5), std::string("\0\xFF\xFF\xFF\xFF", 5), Framed(1, "zip"),
        Framed(0x80, kFine) + Framed(0, "late")}) {
    kani::FrameReader reader;
    reader.Push(body);
    std::string_view message;
    while (reader.Next(&message)) {
    }
    REQUIRE(reader.is_broken());
  }
}

CHECK_NAMED(AnErrorSaysWhatTheServiceSaid) {
  std::ifstream file(g_arguments[0], std::ios::binary);
  const std::string block{std::istreambuf_iterator<char>(file), {}};
  kani::FrameReader reader;
  reader.Push(Framed(0x80, block));
  std::string_view message;
  REQUIRE(!reader.Next(&message) && reader.trailers() != nullptr);
  const kani::CallStatus status = kani::StatusFrom(*reader.trailers());
  REQUIRE(status.code == kani::StatusCode::kResourceExhausted && status.MayRetry());
  REQUIRE(status.message == "voll: 日本 100%");
  REQUIRE(status.reason == "OVERLOADED" && status.field == "text");
  REQUIRE(status.retry_after_s == 1.25 && status.metadata.at("etag") == "7");
  REQUIRE(kani::StatusFrom({}).code == kani::StatusCode::kUnknown);
  REQUIRE(kani::StatusFrom({{"grpc-status", "5x"}}).code == kani::StatusCode::kUnknown);
  REQUIRE(kani::StatusFrom({{"grpc-status", "5"}, {"grpc-status-details-bin", "!"}}).code == kani::StatusCode::kNotFound);
}

CHECK_NAMED(ALineIsOneHeaderSoundWithoutGapsAndOneEndThatCountsIt) {
  const std::string fine = Framed(0x80, kFine);
  using kani::StatusCode;
  REQUIRE(CodeOf(Header() + Audio(0, 100) + Audio(100, 50) + End(150) + fine) == StatusCode::kOk);
  REQUIRE(CodeOf(Header() + Framed(0, std::string("\x9a\x06\x01x", 4)) + End(0) + fine) == StatusCode::kOk);  // an unknown event
  REQUIRE(CodeOf(Audio(0, 100) + End(100) + fine) == StatusCode::kDataLoss);
  REQUIRE(CodeOf(Header() + Header() + End(0) + fine) == StatusCode::kDataLoss);
  REQUIRE(CodeOf(Header() + Audio(0, 100) + Audio(101, 5) + End(105) + fine) == StatusCode::kDataLoss);
  REQUIRE(CodeOf(Header() + Audio(0, 100) + End(99) + fine) == StatusCode::kDataLoss);
  REQUIRE(CodeOf(Header() + End(0) + Audio(0, 1) + fine) == StatusCode::kDataLoss);
  REQUIRE(CodeOf(Header() + Audio(0, 100) + fine) == StatusCode::kDataLoss);
  REQUIRE(CodeOf(Header() + Framed(0, "no message") + End(0) + fine) == StatusCode::kDataLoss);
  REQUIRE(CodeOf(Header() + Framed(1, "zip")) == StatusCode::kInternal);
  REQUIRE(CodeOf(Header() + Audio(0, 100)) == StatusCode::kUnavailable);
  REQUIRE(CodeOf(Framed(0x80, "grpc-status:5\r\ngrpc-message:no%20voice\r\n")) == StatusCode::kNotFound);
}

CHECK_NAMED(WhoIsInterruptedIsSilentAndALostConnectionIsPlayedOut) {
  const auto heard = [](const std::string& rest, const kani::CallStatus& transport) {
    kani::SpeechLine line(0.01);
    line.Receive(Header() + Audio(0, 5000) + rest);
    std::vector<std::int16_t> first(512), later(8192);
    line.player().Read(first.data(), first.size());
    line.Finish(transport, {});
    line.player().Read(later.data(), later.size());
    REQUIRE(line.is_over());
    return Sounding(later);
  };
  const std::string fine = Framed(0x80, kFine);
  kani::CallStatus lost;
  lost.code = kani::StatusCode::kUnavailable;
  REQUIRE(heard(End(5000) + fine, {}) == 5000 - 512);
  REQUIRE(heard("", lost) == 5000 - 512);
  REQUIRE(heard(End(5000, kani::FinishReason::kInterrupted) + fine, {}) < 200);
  REQUIRE(heard(End(5000, kani::FinishReason::kSuperseded) + fine, {}) < 200);
  REQUIRE(heard(Framed(0x80, "grpc-status:9\r\n"), {}) < 200);  // consent was revoked
}

CHECK_NAMED(ALineIsPlayedToItsLastSample) {
  const std::vector<double> line = Sine(30000);
  for (const std::size_t buffer : {std::size_t{64}, std::size_t{1000}, std::size_t{40000}}) {
    kani::SpeechPlayer player;
    player.Begin(22050, 0.12);
    player.Write(Linear16(line));
    player.Complete();
    std::vector<std::int16_t> all, data(buffer);
    while (player.state() != kani::PlayerState::kFinished) {
      player.Read(data.data(), buffer);
      all.insert(all.end(), data.begin(), data.end());
    }
    for (std::size_t i = 0; i < line.size(); ++i) REQUIRE(all[i] == std::lround(line[i] * 32767));
    for (std::size_t i = line.size(); i < all.size(); ++i) REQUIRE(all[i] == 0);
    REQUIRE(player.samples_played() == 30000 && player.underruns() == 0);
  }
}

CHECK_NAMED(PlaybackWaitsForTheBufferAndShortLinesForTheirEnd) {
  std::vector<std::int16_t> data(256);
  kani::SpeechPlayer player;
  player.Read(data.data(), data.size());
  REQUIRE(Sounding(data) == 0);
  player.Begin(22050, 0.12);
  player.Write(Linear16(std::vector<double>(2645, 0.5)));
  player.Read(data.data(), data.size());
  REQUIRE(Sounding(data) == 0 && player.state() == kani::PlayerState::kBuffering);
  player.Write(Linear16({0.5}));
  player.Read(data.data(), data.size());
  REQUIRE(Sounding(data) == 256);
  kani::SpeechPlayer brief;
  brief.Begin(22050, 0.12);
  brief.Write(Linear16(std::vector<double>(100, 0.5)));
  brief.Read(data.data(), data.size());
  REQUIRE(Sounding(data) == 0);
  brief.Complete();
  brief.Read(data.data(), data.size());
  REQUIRE(Sounding(data) == 100 && brief.state() == kani::PlayerState::kFinished);
}

CHECK_NAMED(MissingSoundIsSilenceAndItsEdgesAreFaded) {
  kani::SpeechPlayer player;
  player.Begin(22050, 0.01);
  std::vector<std::int16_t> all, data(512);
  for (int round = 0; round < 3; ++round) {
    player.Write(Linear16(std::vector<double>(3000, 0.5)));
    for (int i = 0; i < 8; ++i) {
      player.Read(data.data(), data.size());
      all.insert(all.end(), data.begin(), data.end());
    }
  }
  REQUIRE(player.underruns() == 3 && player.samples_played() == 9000);
  for (std::size_t i = 1; i < all.size(); ++i) REQUIRE(std::abs(all[i] - all[i - 1]) < 330);
}

CHECK_NAMED(StoppingFadesOutWithinTenMilliseconds) {
  kani::SpeechPlayer player;
  player.Begin(22050, 0.01);
  player.Write(Linear16(std::vector<double>(9000, 0.5)));
  std::vector<std::int16_t> data(512);
  player.Read(data.data(), data.size());
  player.Stop();
  int last = data.back();
  player.Read(data.data(), data.size());
  REQUIRE(Sounding(data) > 50 && Sounding(data) < 220);
  for (const int sample : data) {
    REQUIRE(std::abs(sample - last) < 330);
    last = sample;
  }
  REQUIRE(player.state() == kani::PlayerState::kFinished);
}

CHECK_NAMED(APausedListenerLosesNothing) {
  kani::SpeechPlayer player;
  player.Begin(48000, 0.1);
  for (int i = 0; i < 10; ++i) player.Write(Linear16(Sine(100000)));
  player.Complete();
  REQUIRE(player.samples_waiting() == 1000000 && player.backlog() == 1000000 - (1 << 18));
  std::vector<std::int16_t> data(4096);
  while (player.state() != kani::PlayerState::kFinished) {
    player.Read(data.data(), data.size());
    player.Pump();
  }
  REQUIRE(player.samples_played() == 1000000 && player.underruns() == 0);
}

CHECK_NAMED(NetworkAudioAndGameThreadsGetAlong) {
  kani::SpeechLine line(0.02);
  constexpr int kPieces = 400;
  std::thread network([&line] {
    line.Receive(Header(48000));
    for (int i = 0; i < kPieces; ++i) {
      kani::SpeechTiming timing;
      timing.first_sample = i * 960;
      timing.hop_samples = 960;
      timing.openness = {0.5f};
      timing.weights.assign(kani::kNumVisemes, 1.0f / 15);
      line.Receive(Event<kani::SynthesizeResponse::kTiming>(timing));
      line.Receive(Audio(i * 960, 960));
      if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    line.Receive(End(kPieces * 960) + Framed(0x80, kFine));
    line.Finish({}, {});
  });
  std::thread audio([&line] {
    std::vector<std::int16_t> data(480);
    while (!line.is_over()) {
      line.player().Read(data.data(), data.size());
      std::this_thread::yield();
    }
  });
  while (!line.is_over()) {
    line.player().Pump();
    (void)line.timing().At(line.player().samples_played());
    (void)line.header();
    (void)line.status();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  network.join();
  audio.join();
  REQUIRE(line.status().ok() && line.end()->total_samples == kPieces * 960);
  REQUIRE(line.player().samples_played() == kPieces * 960);
}

CHECK_NAMED(TheMouthIsReadBySamplesPlayed) {
  kani::TimingTrack track;
  REQUIRE(track.At(0).openness == 0 && track.At(0).weights[0] == 1);
  for (int hop = 0; hop < 4; ++hop) {
    kani::SpeechTiming timing;
    timing.first_sample = hop * 441;
    timing.hop_samples = 441;
    timing.openness = {static_cast<float>(hop) / 4};
    timing.weights.assign(15, 0);
    timing.weights[static_cast<std::size_t>(10 + hop)] = 1;
    track.Add(timing);
    if (hop == 1) track.Add(timing);  // twice: not where the last ended, and left out
  }
  REQUIRE(track.At(0).weights[10] == 1);
  REQUIRE(std::abs(track.At(441).openness - 0.125f) < 0.001f);
  REQUIRE(std::abs(track.At(441).weights[11] - 0.5f) < 0.001f);
  REQUIRE(track.At(441 * 5).weights[0] == 1 && track.At(-3).openness == 0);
}

CHECK_NAMED(BackOffGrowsToEightSecondsAndKeepsToWhatTheServerAsks) {
  kani::Backoff backoff(1);
  double limit = 0.25;
  for (int i = 0; i < 12; ++i) {
    const double seconds = backoff.NextSeconds(std::nullopt);
    REQUIRE(seconds >= limit / 2 && seconds <= limit);
    limit = std::min(8.0, limit * 2);
  }
  REQUIRE(kani::Backoff(1).NextSeconds(3.0) >= 3);
}
