// The core over libcurl, against a live service: its web port and its gRPC port are the arguments.
#include <string>
#include <vector>

#include "check.h"
#include "kani/curl_client.h"
#include "kani/v1/voice_service.h"

namespace {

kani::ClientOptions Web() {
  kani::ClientOptions options;
  options.address = g_arguments[0];
  return options;
}

kani::ClientOptions Native() {
  kani::ClientOptions options;
  options.address = g_arguments[1];
  options.wire = kani::Wire::kGrpc;
  return options;
}

kani::SynthesizeRequest Line(int frames, kani::Pace pace = kani::Pace::kRealtime) {
  kani::SynthesizeRequest request;
  request.text = "Halt! Who goes there?";
  request.sampling.emplace();
  request.sampling->min_frames = frames;
  request.sampling->max_frames = frames;
  request.pace = pace;
  return request;
}

int Active(kani::CurlClient& client) {
  kani::GetServerInfoResponse info;
  const kani::CallStatus status = client.Call(kani::SpeechService::GetServerInfo, kani::GetServerInfoRequest(), &info, {60, 0});
  REQUIRE(status.ok());
  return info.capacity->active + info.capacity->waiting;
}

void Tell(const kani::CallStatus& status) {
  std::fprintf(stderr, "status %d %s: %s\n", static_cast<int>(status.code), status.reason.c_str(), status.message.c_str());
}

// Speaks, and plays what came when all of it came: nothing can be missing then, and nothing is faded.
std::vector<std::int16_t> Heard(kani::CurlClient& client, const kani::SynthesizeRequest& request, kani::SpeechLine& line) {
  client.Speak(request, &line, {60, 60});
  if (!line.status().ok()) Tell(line.status());
  std::vector<std::int16_t> all;
  while (!line.is_over()) {
    std::int16_t data[512];
    const auto before = line.player().samples_played();
    line.player().Read(data, 512);
    all.insert(all.end(), data, data + (line.player().samples_played() - before));
  }
  return all;
}

void SpeaksWhole(const kani::ClientOptions& options) {
  kani::CurlClient client(options);
  kani::SpeechLine line(0.12), again(0.12);
  kani::SynthesizeRequest request = Line(20, kani::Pace::kUnpaced);
  request.visemes = true;
  const auto heard = Heard(client, request, line);
  REQUIRE(line.status().ok() && line.end()->total_samples == 20 * 1764);
  REQUIRE(heard.size() == 20 * 1764 && line.header()->synthetic);
  REQUIRE(Heard(client, request, again) == heard);
}

}  // namespace

CHECK_NAMED(ALineComesWholeOverTheWebPort) { SpeaksWhole(Web()); }

CHECK_NAMED(ALineComesWholeOverNativeGrpc) { SpeaksWhole(Native()); }

CHECK_NAMED(UnaryCallsAnswerOnBothWires) {
  for (const auto& options : {Web(), Native()}) {
    kani::CurlClient client(options);
    kani::GetServerInfoResponse info;
    REQUIRE(client.Call(kani::SpeechService::GetServerInfo, kani::GetServerInfoRequest(), &info, {60, 0}).ok());
    REQUIRE(info.model->sample_rate_hz == 22050 && !info.voices.empty());
    kani::ListVoicesResponse voices;
    const auto listed = client.Call(kani::VoiceService::ListVoices, kani::ListVoicesRequest(), &voices, {60, 0});
    Tell(listed);
    REQUIRE(listed.ok());
    REQUIRE(voices.voices.size() >= info.voices.size());
  }
}

CHECK_NAMED(AnErrorSaysWhatAndWhere) {
  for (const auto& options : {Web(), Native()}) {
    kani::CurlClient client(options);
    kani::SpeechLine line(0.1);
    kani::SynthesizeRequest request = Line(5);
    request.voice = "nobody";
    client.Speak(request, &line, {60, 0});
    REQUIRE(line.status().code == kani::StatusCode::kNotFound && !line.status().reason.empty());
    kani::SpeechLine empty(0.1);
    client.Speak(kani::SynthesizeRequest(), &empty, {60, 0});
    Tell(empty.status());
    REQUIRE(empty.status().code == kani::StatusCode::kInvalidArgument && empty.status().field == "text");
  }
}

CHECK_NAMED(StoppingStopsTheServerToo) {
  kani::CurlClient client(Web());
  kani::SpeechLine line(0.05);
  std::thread call([&] { client.Speak(Line(60), &line, {60, 0}); });
  REQUIRE(Soon([&] { return line.player().samples_waiting() > 1764; }));
  line.Stop();
  call.join();
  REQUIRE(line.status().ok() && !line.end());
  REQUIRE(Soon([&] { return Active(client) == 0; }));
}

CHECK_NAMED(ADeadlineEndsALine) {
  kani::CurlClient client(Web());
  kani::SpeechLine line(0.05);
  client.Speak(Line(60), &line, {1, 0});
  REQUIRE(line.status().code == kani::StatusCode::kDeadlineExceeded);
  REQUIRE(Soon([&] { return Active(client) == 0; }));
}

CHECK_NAMED(ThirtyTwoLinesAtOnceAllComeWhole) {
  kani::CurlClient client(Web());
  std::vector<std::thread> threads;
  std::atomic<int> whole{0};
  for (int i = 0; i < 32; ++i)
    threads.emplace_back([&, i] {
      kani::SpeechLine line(0.12);
      kani::SynthesizeRequest request = Line(6, kani::Pace::kUnpaced);
      request.text = "Line " + std::to_string(i);
      whole += Heard(client, request, line).size() == 6 * 1764;
    });
  for (auto& thread : threads) thread.join();
  REQUIRE(whole == 32);
}

CHECK_NAMED(AListenerWhoDoesNotPlayLosesNothing) {
  kani::CurlClient client(Web());
  kani::SpeechLine line(0.05);
  std::thread call([&] { client.Speak(Line(30, kani::Pace::kUnpaced), &line, {60, 0}); });
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  std::int16_t data[512];
  while (!line.is_over()) line.player().Read(data, 512), line.player().Pump();
  call.join();
  REQUIRE(line.status().ok() && line.player().samples_played() == 30 * 1764);
}

// The server is killed when this says READY.
CHECK_NAMED(AServerThatDiesIsUnavailable) {
  kani::CurlClient client(Web());
  kani::SpeechLine line(0.05);
  std::thread call([&] { client.Speak(Line(60), &line, {60, 0}); });
  REQUIRE(Soon([&] { return line.player().samples_waiting() > 1764; }));
  std::puts("READY");
  std::fflush(stdout);
  call.join();
  REQUIRE(line.status().code == kani::StatusCode::kUnavailable);
  kani::SpeechLine next(0.05);
  client.Speak(Line(5), &next, {60, 0});  // nobody is there at all: tried again, then given up
  REQUIRE(next.status().code == kani::StatusCode::kUnavailable && !next.is_begun());
}

CHECK_NAMED(ASilentServerIsGivenUp) {
  kani::CurlClient client(Web());
  kani::GetServerInfoResponse info;
  const auto status = client.Call(kani::SpeechService::GetServerInfo, kani::GetServerInfoRequest(), &info, {0, 0.5});
  REQUIRE(status.code == kani::StatusCode::kUnavailable);
}
