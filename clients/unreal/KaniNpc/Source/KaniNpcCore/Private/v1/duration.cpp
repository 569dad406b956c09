// Generated from google/protobuf/duration.proto. Do not edit: `make proto` writes it.
#include "kani/v1/duration.h"

namespace kani {

void Duration::WriteTo(WireWriter& output) const {
  if (seconds != 0) output.Int64(8, seconds);
  if (nanos != 0) output.Int32(16, nanos);
}

bool Duration::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: seconds = input.Int64(); break;
      case 16: nanos = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
