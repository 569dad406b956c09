// Generated from kani_npc/v1/sampling.proto. Do not edit: `make proto` writes it.
#include "kani/v1/sampling.h"

namespace kani {

void Sampling::WriteTo(WireWriter& output) const {
  if (temperature) output.Double(9, *temperature);
  if (top_k) output.Int32(16, *top_k);
  if (top_p) output.Double(25, *top_p);
  if (repetition_penalty) output.Double(33, *repetition_penalty);
  if (greedy) output.Bool(40, *greedy);
  if (min_frames) output.Int32(48, *min_frames);
  if (max_frames) output.Int32(56, *max_frames);
}

bool Sampling::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 9: temperature = input.Double(); break;
      case 16: top_k = input.Int32(); break;
      case 25: top_p = input.Double(); break;
      case 33: repetition_penalty = input.Double(); break;
      case 40: greedy = input.Bool(); break;
      case 48: min_frames = input.Int32(); break;
      case 56: max_frames = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
