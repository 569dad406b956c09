// Generated from google/rpc/status.proto. Do not edit: `make proto` writes it.
#include "kani/v1/status.h"

namespace kani {

void Status::WriteTo(WireWriter& output) const {
  if (code != 0) output.Int32(8, code);
  if (!message.empty()) output.String(18, message);
  for (const auto& item : details) output.Message(26, item);
}

bool Status::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: code = input.Int32(); break;
      case 18: message = input.String(); break;
      case 26: details.emplace_back(); input.Message(&details.back()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
