// The engine module on stand-ins of Unreal's API: a character that speaks what the test's server sends.
#include <algorithm>

#include "check.h"
#include "KaniNpcVoiceComponent.h"
#include "KaniSoundWave.h"
#include "KaniSpeakAction.h"
#include "Components/AudioComponent.h"
#include "Interfaces/IHttpRequest.h"
#include "Interfaces/IHttpResponse.h"
#include "kani/frames.h"

namespace {

std::string Framed(int flags, const std::string& data) {
  std::string frame(1, static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(data.size() >> shift & 0xFF));
  return frame + data;
}

template <std::size_t kCase, typename T>
std::string Event(const T& value) {
  kani::SynthesizeResponse response;
  response.event.emplace<kCase>(value);
  return Framed(0, kani::Serialize(response));
}

std::string Begin() {
  kani::SpeechHeader header;
  header.sample_rate_hz = 22050;
  kani::SpeechTiming timing;
  timing.hop_samples = 441;
  timing.openness.assign(20, 0.5f);  // from the sixth hop on
  std::fill_n(timing.openness.begin(), 5, 0.0f);
  timing.weights.assign(20 * kani::kNumVisemes, 1.0f / 15);
  kani::SpeechAudio audio;
  audio.data.assign(2 * 5000, '\x11');
  return Event<kani::SynthesizeResponse::kHeader>(header) + Event<kani::SynthesizeResponse::kTiming>(timing) +
         Event<kani::SynthesizeResponse::kAudio>(audio);
}

std::string End() {
  kani::SpeechEnd end;
  end.total_samples = 5000;
  return Event<kani::SynthesizeResponse::kEnd>(end) + Framed(0x80, "grpc-status:0\r\n");
}

struct Character {
  UKaniNpcVoiceComponent voice;
  std::string events;
  float openness = 0;

  Character() {
    voice.OnStarted.AddForTest([this] { events += "started "; });
    voice.OnEnded.AddForTest([this](bool stopped) { events += stopped ? "stopped " : "ended "; });
    voice.OnFailed.AddForTest([this](const FString& reason, const FString&) { events += std::string("failed:") + TCHAR_TO_UTF8(*reason) + " "; });
    voice.OnMouth.AddForTest([this](float open, const TArray<float>&) { openness = std::max(openness, open); });
  }
  void Tick() { voice.TickComponent(0.016f, ELevelTick::All, nullptr); }
};

IHttpRequest& Last() { return *IHttpRequest::Sent.back(); }

void Send(const std::string& body) {
  std::string copy = body;
  Last().Stream->Serialize(copy.data(), static_cast<int64>(copy.size()));
}

void Close(int32 code = 200) {
  const auto response = std::make_shared<IHttpResponse>();
  response->Code = code;
  Last().Complete(response, true);
}

UKaniSoundWave* Wave() {
  UAudioComponent* playing = UAudioComponent::Playing;
  return playing == nullptr ? nullptr : static_cast<UKaniSoundWave*>(playing->Sound);
}

int Hear(UKaniSoundWave* wave, int32 samples) {
  TArray<uint8> out;
  REQUIRE(wave->OnGeneratePCMAudio(out, samples) == samples && out.Num() == 2 * samples);
  int sounding = 0;
  for (int32 i = 0; i < samples; ++i) sounding += out[2 * i] != 0 || out[2 * i + 1] != 0;
  return sounding;
}

}  // namespace

CHECK_NAMED(ACharacterSpeaksToTheEnd) {
  Character guard;
  guard.voice.Npc = TEXT("guard");
  guard.voice.Speak(TEXT("Halt, café!"));
  REQUIRE(guard.voice.IsSpeaking());
  kani::SynthesizeRequest request;
  const std::string body(reinterpret_cast<const char*>(Last().Content.GetData()), static_cast<std::size_t>(Last().Content.Num()));
  REQUIRE(kani::Parse(body.substr(5), &request) && request.text == "Halt, café!" && request.npc == "guard" && request.visemes);
  REQUIRE(std::string(TCHAR_TO_UTF8(*Last().Url)) == "http://127.0.0.1:8051/kani_npc.v1.SpeechService/Synthesize");
  std::thread http([] { Send(Begin()); });
  http.join();
  guard.Tick();
  UKaniSoundWave* wave = Wave();
  REQUIRE(wave != nullptr && wave->SampleRate == 22050 && wave->NumChannels == 1);
  REQUIRE(Hear(wave, 1000) == 1000);
  guard.Tick();
  REQUIRE(guard.openness == 0.0f);  // all shapes are here: the mouth waits for its sound
  REQUIRE(Hear(wave, 2000) == 2000);
  guard.Tick();
  REQUIRE(guard.openness > 0.4f);
  Send(End());
  Close();
  guard.Tick();
  REQUIRE(guard.voice.IsSpeaking());
  REQUIRE(Hear(wave, 5000) == 2000);
  guard.Tick();
  REQUIRE(!guard.voice.IsSpeaking() && Wave() == nullptr && guard.events == "started ended ");
}

CHECK_NAMED(StoppingIsSilentAndEndsTheRequest) {
  Character guard;
  guard.voice.Speak(TEXT("Halt!"));
  Send(Begin());
  guard.Tick();
  UKaniSoundWave* wave = Wave();
  REQUIRE(Hear(wave, 500) == 500);
  guard.voice.Stop();
  REQUIRE(Last().IsCancelled && guard.events == "started stopped ");
  REQUIRE(Hear(wave, 500) < 200 && Hear(wave, 500) == 0);
  Send(End());
  REQUIRE(Last().Stream->HasError);  // the rest is not wanted
  guard.voice.Stop();
}

CHECK_NAMED(ANewLineTakesThePlaceOfTheOldOneAndLeavingEndsIt) {
  Character guard;
  guard.voice.Speak(TEXT("One."));
  IHttpRequest& first = Last();
  guard.voice.Speak(TEXT("Two."));
  REQUIRE(first.IsCancelled && &first != &Last() && guard.events == "stopped ");
  guard.voice.EndPlay(EEndPlayReason::Destroyed);
  REQUIRE(Last().IsCancelled && !guard.voice.IsSpeaking());
}

CHECK_NAMED(WhatFoundNoRoomIsAskedForAgainAndAnErrorIsTold) {
  Character guard;
  guard.voice.Speak(TEXT("Halt!"));
  const std::size_t sent = IHttpRequest::Sent.size();
  Send(Framed(0x80, "grpc-status:8\r\n"));
  Close();
  guard.Tick();
  REQUIRE(guard.voice.IsSpeaking() && IHttpRequest::Sent.size() == sent);
  FPlatformTime::Now += 0.3;
  guard.Tick();
  REQUIRE(IHttpRequest::Sent.size() == sent + 1);
  Send(Framed(0x80, "grpc-status:5\r\ngrpc-message:no%20such%20voice\r\n"));
  Close();
  guard.Tick();
  REQUIRE(guard.events == "failed: " && !guard.voice.IsSpeaking());
}

CHECK_NAMED(AServerThatIsNotThereIsTriedFourTimes) {
  Character guard;
  const std::size_t before = IHttpRequest::Sent.size();
  guard.voice.Speak(TEXT("Halt!"));
  for (int i = 0; i < 20 && guard.voice.IsSpeaking(); ++i) {
    if (i < 4) Last().Complete(nullptr, false);
    FPlatformTime::Now += 8;
    guard.Tick();
  }
  REQUIRE(IHttpRequest::Sent.size() - before == 4 && guard.events == "failed: ");
}

CHECK_NAMED(TheBlueprintNodeEndsWithItsLineAndCancelsIt) {
  Character guard;
  std::string ended;
  UKaniSpeakAction* action = UKaniSpeakAction::SpeakLine(&guard.voice, TEXT("Halt!"));
  action->OnEnded.AddForTest([&](bool stopped) { ended = stopped ? "stopped" : "ended"; });
  action->Activate();
  Send(Begin());
  guard.Tick();
  action->Cancel();
  REQUIRE(ended == "stopped" && action->IsDone && Last().IsCancelled);
  guard.voice.Speak(TEXT("Somebody else's line"));
  guard.voice.Stop();
  REQUIRE(ended == "stopped");
}
