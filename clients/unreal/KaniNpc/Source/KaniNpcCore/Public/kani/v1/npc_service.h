// Generated from kani_npc/v1/npc_service.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/v1/field_mask.h"
#include "kani/v1/timestamp.h"
#include "kani/v1/sampling.h"
#include "kani/wire.h"

namespace kani {

// What a line that names neither `seed` nor `vary` gets.
enum class SeedPolicy : std::int32_t {
  // SEED_POLICY_DERIVED.
  kUnspecified = 0,
  // From text, voice and accent: a line always sounds the same.
  kDerived = 1,
  // Npc.seed.
  kFixed = 2,
  // Another take each time.
  kVary = 3,
};

// How the sound is finished, whatever is said.
struct KANI_API Delivery {
  // -40 to 12. Louder than full scale is clipped.
  double gain_db = 0;
  // 0 to 5000: so much more silence between the pieces (sentences, mostly) that a long text is said in, on top of what
  // the model leaves.
  std::int32_t pause_ms = 0;
  // 0 to 5000: so much silence before and after every line, whatever the model leaves. Not set: what the model leaves.
  std::optional<std::int32_t> edge_silence_ms;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API Npc {
  // 1 to 63 of a-z, 0-9 and -. Never changes.
  std::string id;
  std::string display_name;
  std::map<std::string, std::string> labels;
  std::string etag;
  // Output only. Moves when what is heard changes.
  std::int32_t revision = 0;
  // Output only.
  std::optional<Timestamp> create_time;
  // Output only.
  std::optional<Timestamp> update_time;
  // `id`, or `id@revision` to stay with what was approved.
  std::string voice;
  // Empty: the voice's own.
  std::string accent;
  // Empty: the project's lexicon `default`, if there is one.
  std::string lexicon;
  std::optional<Delivery> delivery;
  // Over the accent's; a request's own goes over both.
  std::optional<Sampling> sampling;
  SeedPolicy seed_policy = SeedPolicy(0);
  // Of the policy FIXED, and only there.
  std::optional<std::int64_t> seed;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateNpcRequest {
  std::optional<Npc> npc;
  std::string request_id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateNpcResponse {
  std::optional<Npc> npc;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetNpcRequest {
  std::string id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetNpcResponse {
  std::optional<Npc> npc;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListNpcsRequest {
  std::int32_t page_size = 0;
  std::string page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListNpcsResponse {
  std::vector<Npc> npcs;
  std::string next_page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateNpcRequest {
  std::optional<Npc> npc;
  std::optional<FieldMask> update_mask;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateNpcResponse {
  std::optional<Npc> npc;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteNpcRequest {
  std::string id;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteNpcResponse {
  // No fields yet.
  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct NpcService {
  static constexpr UnaryMethod<CreateNpcRequest, CreateNpcResponse> CreateNpc{
      "/kani_npc.v1.NpcService/CreateNpc"};
  static constexpr UnaryMethod<GetNpcRequest, GetNpcResponse> GetNpc{
      "/kani_npc.v1.NpcService/GetNpc"};
  static constexpr UnaryMethod<ListNpcsRequest, ListNpcsResponse> ListNpcs{
      "/kani_npc.v1.NpcService/ListNpcs"};
  static constexpr UnaryMethod<UpdateNpcRequest, UpdateNpcResponse> UpdateNpc{
      "/kani_npc.v1.NpcService/UpdateNpc"};
  static constexpr UnaryMethod<DeleteNpcRequest, DeleteNpcResponse> DeleteNpc{
      "/kani_npc.v1.NpcService/DeleteNpc"};
};

}  // namespace kani
