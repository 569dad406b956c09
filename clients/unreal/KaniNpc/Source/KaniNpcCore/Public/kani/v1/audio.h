// Generated from kani_npc/v1/audio.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/wire.h"

namespace kani {

// How a sample is written. Encodings that are not named here are refused.
enum class AudioEncoding : std::int32_t {
  // The server's choice: AUDIO_ENCODING_LINEAR16.
  kUnspecified = 0,
  // Signed 16-bit integers, little-endian.
  kLinear16 = 1,
  // IEEE 754 32-bit floats, little-endian, in -1 to 1.
  kFloat32 = 2,
  // G.711 mu-law, one byte a sample, for telephone-like lines; at 8000 Hz unless another rate is asked for.
  kMulaw = 3,
  // One Ogg Opus file, streamed page by page; 48000 Hz, and positions count samples at that rate.
  kOggOpus = 4,
};

// The sound a client asks for.
struct KANI_API AudioFormat {
  AudioEncoding encoding = AudioEncoding(0);
  // One of GetServerInfoResponse.sample_rates_hz; 0 is the model's own rate, which costs no resampling.
  std::int32_t sample_rate_hz = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

}  // namespace kani
