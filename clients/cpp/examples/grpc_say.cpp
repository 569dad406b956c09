// grpc_say TEXT FILE.raw [host:50051]: the same line over native gRPC, by the system's grpc++ and protoc's own code.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "kani_npc/v1/speech_service.grpc.pb.h"

namespace v1 = kani_npc::v1;

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "grpc_say TEXT FILE.raw [host:50051]\n");
    return 2;
  }
  // One channel for all lines of a game process.
  const auto channel = grpc::CreateChannel(argc > 3 ? argv[3] : "127.0.0.1:50051", grpc::InsecureChannelCredentials());
  const auto stub = v1::SpeechService::NewStub(channel);

  v1::SynthesizeRequest request;
  request.set_text(argv[1]);
  request.set_pace(v1::PACE_UNPACED);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));

  std::FILE* file = std::fopen(argv[2], "wb");
  if (file == nullptr) {
    std::perror(argv[2]);
    return 1;
  }
  const auto reader = stub->Synthesize(&context, request);
  v1::SynthesizeResponse response;
  std::int64_t samples = 0;
  bool is_whole = true, has_end = false;
  while (reader->Read(&response)) {
    if (response.has_audio()) {
      const std::string& data = response.audio().data();
      is_whole = is_whole && response.audio().first_sample() == samples;
      samples += static_cast<std::int64_t>(data.size() / 2);
      std::fwrite(data.data(), 1, data.size(), file);
    } else if (response.has_end()) {
      has_end = response.end().total_samples() == samples;
    }
  }
  const grpc::Status status = reader->Finish();
  if (std::fclose(file) != 0 || !status.ok() || !is_whole || !has_end) {
    std::fprintf(stderr, "%s\n", status.ok() ? "the speech that came is not whole" : status.error_message().c_str());
    return 1;
  }
  std::printf("%s: %lld samples\n", argv[2], static_cast<long long>(samples));
}
