// say "Halt! Who goes there?" halt.wav [http://host:8051] [npc]: a line into a WAV file, over the web port.
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "kani/curl_client.h"

namespace {

void Append32(std::uint32_t value, std::string* out) {
  for (int i = 0; i < 4; ++i) out->push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

bool WriteWav(const char* path, const std::vector<std::int16_t>& samples, std::uint32_t rate) {
  const auto bytes = static_cast<std::uint32_t>(samples.size() * 2);
  std::string head = "RIFF";
  Append32(36 + bytes, &head);
  head += "WAVEfmt ";
  Append32(16, &head);
  head += std::string("\1\0\1\0", 4);  // integers, mono
  Append32(rate, &head);
  Append32(rate * 2, &head);
  head += std::string("\2\0\20\0data", 8);  // 2 bytes, 16 bits
  Append32(bytes, &head);
  std::FILE* file = std::fopen(path, "wb");
  if (file == nullptr) return false;
  const bool ok = std::fwrite(head.data(), 1, head.size(), file) == head.size() &&
                  std::fwrite(samples.data(), 2, samples.size(), file) == samples.size();
  return std::fclose(file) == 0 && ok;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "say TEXT FILE.wav [http://host:8051] [npc]\n");
    return 2;
  }
  kani::ClientOptions options;
  if (argc > 3) options.address = argv[3];
  kani::CurlClient client(options);

  kani::SynthesizeRequest request;
  request.text = argv[1];
  if (argc > 4) request.npc = argv[4];
  request.pace = kani::Pace::kUnpaced;

  // A game's audio callback would read the player; here the file does.
  kani::SpeechLine line(0);
  std::thread call([&] { client.Speak(request, &line, {60, 0}); });
  std::vector<std::int16_t> samples;
  while (!line.is_over()) {
    std::int16_t buffer[512];
    const auto before = line.player().samples_played();
    line.player().Read(buffer, 512);
    line.player().Pump();
    const auto got = line.player().samples_played() - before;
    samples.insert(samples.end(), buffer, buffer + got);
    if (got == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  call.join();
  if (!line.status().ok()) {
    std::fprintf(stderr, "%s\n", line.status().message.c_str());
    return 1;
  }
  const std::uint32_t rate = static_cast<std::uint32_t>(line.player().sample_rate_hz());
  if (!WriteWav(argv[2], samples, rate)) {
    std::perror(argv[2]);
    return 1;
  }
  std::printf("%s: %.2f s, %s\n", argv[2], static_cast<double>(samples.size()) / rate, line.header()->voice.c_str());
}
