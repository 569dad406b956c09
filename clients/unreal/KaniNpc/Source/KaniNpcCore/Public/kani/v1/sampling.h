// Generated from kani_npc/v1/sampling.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/wire.h"

namespace kani {

// Every field that is not set keeps the model's own value (GetServerInfoResponse.model.sampling).
struct KANI_API Sampling {
  // Above 0, at most 5. Lower is steadier, higher is livelier.
  std::optional<double> temperature;
  // 1 to 1000: only so many of the likeliest codes are candidates.
  std::optional<std::int32_t> top_k;
  // Above 0, at most 1: only codes of this much probability together are candidates.
  std::optional<double> top_p;
  // 0.5 to 5: above 1, codes that were used already become less likely.
  std::optional<double> repetition_penalty;
  // Always the likeliest code; the seed then changes nothing.
  std::optional<bool> greedy;
  // The line does not end before so many frames of 80 ms.
  std::optional<std::int32_t> min_frames;
  // The line is cut after so many frames of 80 ms.
  std::optional<std::int32_t> max_frames;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

}  // namespace kani
