// Generated from google/rpc/error_details.proto. Do not edit: `make proto` writes it.
#include "kani/v1/error_details.h"

namespace kani {

void ErrorInfo::WriteTo(WireWriter& output) const {
  if (!reason.empty()) output.String(10, reason);
  if (!domain.empty()) output.String(18, domain);
  output.Map(26, metadata);
}

bool ErrorInfo::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: reason = input.String(); break;
      case 18: domain = input.String(); break;
      case 26: input.MapEntry(&metadata); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void LocalizedMessage::WriteTo(WireWriter& output) const {
  if (!locale.empty()) output.String(10, locale);
  if (!message.empty()) output.String(18, message);
}

bool LocalizedMessage::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: locale = input.String(); break;
      case 18: message = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void BadRequestFieldViolation::WriteTo(WireWriter& output) const {
  if (!field.empty()) output.String(10, field);
  if (!description.empty()) output.String(18, description);
  if (!reason.empty()) output.String(26, reason);
  if (localized_message) output.Message(34, *localized_message);
}

bool BadRequestFieldViolation::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: field = input.String(); break;
      case 18: description = input.String(); break;
      case 26: reason = input.String(); break;
      case 34:
        if (!localized_message) localized_message.emplace();
        input.Message(&*localized_message);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void BadRequest::WriteTo(WireWriter& output) const {
  for (const auto& item : field_violations) output.Message(10, item);
}

bool BadRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: field_violations.emplace_back(); input.Message(&field_violations.back()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void RetryInfo::WriteTo(WireWriter& output) const {
  if (retry_delay) output.Message(10, *retry_delay);
}

bool RetryInfo::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!retry_delay) retry_delay.emplace();
        input.Message(&*retry_delay);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
