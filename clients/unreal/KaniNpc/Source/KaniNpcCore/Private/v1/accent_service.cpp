// Generated from kani_npc/v1/accent_service.proto. Do not edit: `make proto` writes it.
#include "kani/v1/accent_service.h"

namespace kani {

void Accent::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!display_name.empty()) output.String(18, display_name);
  output.Map(26, labels);
  if (!etag.empty()) output.String(34, etag);
  if (revision != 0) output.Int32(40, revision);
  if (create_time) output.Message(50, *create_time);
  if (update_time) output.Message(58, *update_time);
  if (!tag.empty()) output.String(66, tag);
  if (sampling) output.Message(74, *sampling);
  if (builtin) output.Bool(80, builtin);
}

bool Accent::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: display_name = input.String(); break;
      case 26: input.MapEntry(&labels); break;
      case 34: etag = input.String(); break;
      case 40: revision = input.Int32(); break;
      case 50:
        if (!create_time) create_time.emplace();
        input.Message(&*create_time);
        break;
      case 58:
        if (!update_time) update_time.emplace();
        input.Message(&*update_time);
        break;
      case 66: tag = input.String(); break;
      case 74:
        if (!sampling) sampling.emplace();
        input.Message(&*sampling);
        break;
      case 80: builtin = input.Bool(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateAccentRequest::WriteTo(WireWriter& output) const {
  if (accent) output.Message(10, *accent);
  if (!request_id.empty()) output.String(18, request_id);
}

bool CreateAccentRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!accent) accent.emplace();
        input.Message(&*accent);
        break;
      case 18: request_id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateAccentResponse::WriteTo(WireWriter& output) const {
  if (accent) output.Message(10, *accent);
}

bool CreateAccentResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!accent) accent.emplace();
        input.Message(&*accent);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetAccentRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
}

bool GetAccentRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetAccentResponse::WriteTo(WireWriter& output) const {
  if (accent) output.Message(10, *accent);
}

bool GetAccentResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!accent) accent.emplace();
        input.Message(&*accent);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListAccentsRequest::WriteTo(WireWriter& output) const {
  if (page_size != 0) output.Int32(8, page_size);
  if (!page_token.empty()) output.String(18, page_token);
}

bool ListAccentsRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: page_size = input.Int32(); break;
      case 18: page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListAccentsResponse::WriteTo(WireWriter& output) const {
  for (const auto& item : accents) output.Message(10, item);
  if (!next_page_token.empty()) output.String(18, next_page_token);
}

bool ListAccentsResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: accents.emplace_back(); input.Message(&accents.back()); break;
      case 18: next_page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void UpdateAccentRequest::WriteTo(WireWriter& output) const {
  if (accent) output.Message(10, *accent);
  if (update_mask) output.Message(18, *update_mask);
}

bool UpdateAccentRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!accent) accent.emplace();
        input.Message(&*accent);
        break;
      case 18:
        if (!update_mask) update_mask.emplace();
        input.Message(&*update_mask);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void UpdateAccentResponse::WriteTo(WireWriter& output) const {
  if (accent) output.Message(10, *accent);
}

bool UpdateAccentResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!accent) accent.emplace();
        input.Message(&*accent);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteAccentRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!etag.empty()) output.String(18, etag);
}

bool DeleteAccentRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteAccentResponse::WriteTo(WireWriter&) const {
}

bool DeleteAccentResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
