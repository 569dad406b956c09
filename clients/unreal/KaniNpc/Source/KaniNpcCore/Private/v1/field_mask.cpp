// Generated from google/protobuf/field_mask.proto. Do not edit: `make proto` writes it.
#include "kani/v1/field_mask.h"

namespace kani {

void FieldMask::WriteTo(WireWriter& output) const {
  for (const auto& item : paths) output.String(10, item);
}

bool FieldMask::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: paths.push_back(input.String()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
