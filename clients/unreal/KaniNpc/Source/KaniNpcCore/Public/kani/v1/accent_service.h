// Generated from kani_npc/v1/accent_service.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/v1/field_mask.h"
#include "kani/v1/timestamp.h"
#include "kani/v1/sampling.h"
#include "kani/wire.h"

namespace kani {

struct KANI_API Accent {
  // 1 to 63 of a-z, 0-9 and -. Never changes.
  std::string id;
  std::string display_name;
  std::map<std::string, std::string> labels;
  // Empty for what came with the model.
  std::string etag;
  // Output only. Moves when what is heard changes.
  std::int32_t revision = 0;
  // Output only.
  std::optional<Timestamp> create_time;
  // Output only.
  std::optional<Timestamp> update_time;
  // One of GetServerInfoResponse.model.languages. Another is FAILED_PRECONDITION, here and when a line asks for it.
  std::string tag;
  // Over the model's; an NPC's and a request's own go over this.
  std::optional<Sampling> sampling;
  // Output only. It came with the model.
  bool builtin = false;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateAccentRequest {
  std::optional<Accent> accent;
  std::string request_id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateAccentResponse {
  std::optional<Accent> accent;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetAccentRequest {
  std::string id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetAccentResponse {
  std::optional<Accent> accent;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListAccentsRequest {
  std::int32_t page_size = 0;
  std::string page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListAccentsResponse {
  std::vector<Accent> accents;
  std::string next_page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateAccentRequest {
  std::optional<Accent> accent;
  std::optional<FieldMask> update_mask;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateAccentResponse {
  std::optional<Accent> accent;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteAccentRequest {
  std::string id;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteAccentResponse {
  // No fields yet.
  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct AccentService {
  static constexpr UnaryMethod<CreateAccentRequest, CreateAccentResponse> CreateAccent{
      "/kani_npc.v1.AccentService/CreateAccent"};
  static constexpr UnaryMethod<GetAccentRequest, GetAccentResponse> GetAccent{
      "/kani_npc.v1.AccentService/GetAccent"};
  static constexpr UnaryMethod<ListAccentsRequest, ListAccentsResponse> ListAccents{
      "/kani_npc.v1.AccentService/ListAccents"};
  static constexpr UnaryMethod<UpdateAccentRequest, UpdateAccentResponse> UpdateAccent{
      "/kani_npc.v1.AccentService/UpdateAccent"};
  static constexpr UnaryMethod<DeleteAccentRequest, DeleteAccentResponse> DeleteAccent{
      "/kani_npc.v1.AccentService/DeleteAccent"};
};

}  // namespace kani
