// Generated from google/protobuf/any.proto. Do not edit: `make proto` writes it.
#include "kani/v1/any.h"

namespace kani {

void Any::WriteTo(WireWriter& output) const {
  if (!type_url.empty()) output.String(10, type_url);
  if (!value.empty()) output.Bytes(18, value);
}

bool Any::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: type_url = input.String(); break;
      case 18: value = input.Bytes(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
