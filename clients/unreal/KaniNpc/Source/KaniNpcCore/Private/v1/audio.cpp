// Generated from kani_npc/v1/audio.proto. Do not edit: `make proto` writes it.
#include "kani/v1/audio.h"

namespace kani {

void AudioFormat::WriteTo(WireWriter& output) const {
  if (encoding != AudioEncoding(0)) output.Int32(8, static_cast<std::int32_t>(encoding));
  if (sample_rate_hz != 0) output.Int32(16, sample_rate_hz);
}

bool AudioFormat::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: encoding = AudioEncoding(input.Int32()); break;
      case 16: sample_rate_hz = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
