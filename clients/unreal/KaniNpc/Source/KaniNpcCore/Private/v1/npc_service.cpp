// Generated from kani_npc/v1/npc_service.proto. Do not edit: `make proto` writes it.
#include "kani/v1/npc_service.h"

namespace kani {

void Delivery::WriteTo(WireWriter& output) const {
  if (!IsZeroBits(gain_db)) output.Double(9, gain_db);
  if (pause_ms != 0) output.Int32(16, pause_ms);
  if (edge_silence_ms) output.Int32(24, *edge_silence_ms);
}

bool Delivery::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 9: gain_db = input.Double(); break;
      case 16: pause_ms = input.Int32(); break;
      case 24: edge_silence_ms = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void Npc::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!display_name.empty()) output.String(18, display_name);
  output.Map(26, labels);
  if (!etag.empty()) output.String(34, etag);
  if (revision != 0) output.Int32(40, revision);
  if (create_time) output.Message(50, *create_time);
  if (update_time) output.Message(58, *update_time);
  if (!voice.empty()) output.String(66, voice);
  if (!accent.empty()) output.String(74, accent);
  if (!lexicon.empty()) output.String(82, lexicon);
  if (delivery) output.Message(90, *delivery);
  if (sampling) output.Message(98, *sampling);
  if (seed_policy != SeedPolicy(0)) output.Int32(104, static_cast<std::int32_t>(seed_policy));
  if (seed) output.Int64(112, *seed);
}

bool Npc::MergeFrom(WireReader& input) {
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
      case 66: voice = input.String(); break;
      case 74: accent = input.String(); break;
      case 82: lexicon = input.String(); break;
      case 90:
        if (!delivery) delivery.emplace();
        input.Message(&*delivery);
        break;
      case 98:
        if (!sampling) sampling.emplace();
        input.Message(&*sampling);
        break;
      case 104: seed_policy = SeedPolicy(input.Int32()); break;
      case 112: seed = input.Int64(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateNpcRequest::WriteTo(WireWriter& output) const {
  if (npc) output.Message(10, *npc);
  if (!request_id.empty()) output.String(18, request_id);
}

bool CreateNpcRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!npc) npc.emplace();
        input.Message(&*npc);
        break;
      case 18: request_id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateNpcResponse::WriteTo(WireWriter& output) const {
  if (npc) output.Message(10, *npc);
}

bool CreateNpcResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!npc) npc.emplace();
        input.Message(&*npc);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetNpcRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
}

bool GetNpcRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetNpcResponse::WriteTo(WireWriter& output) const {
  if (npc) output.Message(10, *npc);
}

bool GetNpcResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!npc) npc.emplace();
        input.Message(&*npc);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListNpcsRequest::WriteTo(WireWriter& output) const {
  if (page_size != 0) output.Int32(8, page_size);
  if (!page_token.empty()) output.String(18, page_token);
}

bool ListNpcsRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: page_size = input.Int32(); break;
      case 18: page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListNpcsResponse::WriteTo(WireWriter& output) const {
  for (const auto& item : npcs) output.Message(10, item);
  if (!next_page_token.empty()) output.String(18, next_page_token);
}

bool ListNpcsResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: npcs.emplace_back(); input.Message(&npcs.back()); break;
      case 18: next_page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void UpdateNpcRequest::WriteTo(WireWriter& output) const {
  if (npc) output.Message(10, *npc);
  if (update_mask) output.Message(18, *update_mask);
}

bool UpdateNpcRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!npc) npc.emplace();
        input.Message(&*npc);
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

void UpdateNpcResponse::WriteTo(WireWriter& output) const {
  if (npc) output.Message(10, *npc);
}

bool UpdateNpcResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!npc) npc.emplace();
        input.Message(&*npc);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteNpcRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!etag.empty()) output.String(18, etag);
}

bool DeleteNpcRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteNpcResponse::WriteTo(WireWriter&) const {
}

bool DeleteNpcResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
