// Generated from kani_npc/v1/voice_service.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/v1/field_mask.h"
#include "kani/v1/timestamp.h"
#include "kani/wire.h"

namespace kani {

enum class ConsentKind : std::int32_t {
  kUnspecified = 0,
  // By the holder of the voice, in a statement. Needs holder, statement and scope.
  kGranted = 1,
  // Declared: it is the voice of who enrols it.
  kOwnVoice = 2,
  // Declared: it is nobody's voice.
  kSynthetic = 3,
};

enum class VoiceSource : std::int32_t {
  kUnspecified = 0,
  kEnrolled = 1,
  kBlended = 2,
  kImported = 3,
  kFineTuned = 4,
  // Came with the model.
  kBuiltin = 5,
};

// Who allowed a voice, what for, until when.
struct KANI_API Consent {
  ConsentKind kind = ConsentKind(0);
  // Whose voice it is.
  std::string holder;
  // What the holder said or signed.
  std::string statement;
  // What it may be used for.
  std::string scope;
  // Not set: it does not end by itself.
  std::optional<Timestamp> expire_time;
  // sha256 of the recorded statement, 64 hexadecimal digits in lower case; empty where there is none.
  std::string statement_sha256;
  // Output only, set by RevokeConsent.
  std::optional<Timestamp> revoke_time;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// Who is speaking, as a model sees it.
struct KANI_API Embedding {
  // The encoder that made it. A model takes one space and refuses others (GetServerInfoResponse.model.speaker_space).
  std::string space;
  // Of unit length. Input only: it is read with ExportVoice.
  std::vector<float> values;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// One voice of a blend.
struct KANI_API BlendShare {
  // `id`, or `id@revision`.
  std::string voice;
  // Not negative; only the ratios count.
  double weight = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API Voice {
  // 1 to 63 of a-z, 0-9 and -. Never changes.
  std::string id;
  std::string display_name;
  std::map<std::string, std::string> labels;
  // Moves with every change. In an update or a deletion, the change happens only if this is still the voice's.
  std::string etag;
  // Output only. Moves when what is heard or allowed changes. `id@revision` names the voice as it was then.
  std::int32_t revision = 0;
  // Output only.
  std::optional<Timestamp> create_time;
  // Output only.
  std::optional<Timestamp> update_time;
  // Output only, but in CreateVoice, where ENROLLED (the default), IMPORTED and FINE_TUNED may be said.
  VoiceSource source = VoiceSource(0);
  // Not set: the model's own mode without a speaker.
  std::optional<Embedding> embedding;
  // The language tag of its lines where no accent is asked for; empty is the model's default.
  std::string tag;
  std::string licence;
  // Needed by every voice that is not a blend; a blend without one may speak while all that it was made of may.
  std::optional<Consent> consent;
  // Output only. What it was blended from.
  std::vector<BlendShare> parents;
  // Output only. How many recordings were kept.
  std::int32_t num_clips = 0;
  // Output only. Equal hashes sound equal: a roll-back has the hash of the old revision.
  std::string content_hash;
  // Output only. What a fine-tuned voice changes in the model, by the sha256 of the part: in the language model (an
  // adapter of low rank), in the codec's decoder. Empty: nothing.
  std::string lora;
  std::string codec_delta;
  // Output only. The report on the recordings that it was fine-tuned on, by its sha256; ExportVoice has it.
  std::string report;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateVoiceRequest {
  std::optional<Voice> voice;
  // Any text of your own: a call that is repeated with it (its answer was lost) gets the voice that the first one made.
  std::string request_id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateVoiceResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetVoiceRequest {
  std::string id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetVoiceResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListVoicesRequest {
  // 0 is 100; at most 500.
  std::int32_t page_size = 0;
  // The `next_page_token` of the page before.
  std::string page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListVoicesResponse {
  std::vector<Voice> voices;
  // Empty: there is no more.
  std::string next_page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateVoiceRequest {
  // Its `id` says which; its `etag`, if set, that it must not have changed since.
  std::optional<Voice> voice;
  // What is taken from `voice`: display_name, labels, tag, licence, consent, embedding or parts of them; `*` is all of
  // these. Empty: those that are set in `voice`.
  std::optional<FieldMask> update_mask;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateVoiceResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteVoiceRequest {
  std::string id;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteVoiceResponse {
  // No fields yet.
  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListVoiceRevisionsRequest {
  std::string id;
  std::int32_t page_size = 0;
  std::string page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListVoiceRevisionsResponse {
  std::vector<Voice> voices;
  std::string next_page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetVoiceRevisionRequest {
  std::string id;
  std::int32_t revision = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetVoiceRevisionResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API RollBackVoiceRequest {
  std::string id;
  // The one that the voice shall sound like again.
  std::int32_t revision = 0;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API RollBackVoiceResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API EnrollVoiceRequest {
  // Its id, display_name, labels, tag, licence and consent.
  std::optional<Voice> voice;
  // Files: WAV, FLAC, OGG or MP3, any rate, mono or stereo, 1 to 60 s each, all of one speaker. At most 32.
  std::vector<std::string> clips;
  // Keeps the recordings in the store, so that ReembedVoice can use them. They are never sent out unless ExportVoice is
  // asked for them.
  bool keep_clips = false;
  // As in CreateVoiceRequest.
  std::string request_id;
  // Makes the next revision of a voice that is there already; of `voice`, what is not set stays as it is.
  bool revise = false;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ClipReport {
  double duration_s = 0;
  double speech_s = 0;
  std::int32_t sample_rate_hz = 0;
  std::int32_t channels = 0;
  std::string file_format;
  // Of the loud parts.
  double level_dbfs = 0;
  double clipped_share = 0;
  // Cosine to the embedding that all clips gave together.
  double likeness = 0;
  // Least cosine of neighbouring stretches; 1 where the clip is too short to have two.
  double steadiness = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API EnrollVoiceResponse {
  std::optional<Voice> voice;
  // What was found in each clip.
  std::vector<ClipReport> clips;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API BlendVoicesRequest {
  // Its id, display_name, labels, tag, licence and, if it shall have one of its own, consent. Its licence is this one and
  // those of the voices, joined by AND.
  std::optional<Voice> voice;
  // 2 to 16, all of one embedding space.
  std::vector<BlendShare> shares;
  std::string request_id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API BlendVoicesResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ReembedVoiceRequest {
  std::string id;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ReembedVoiceResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ExportVoiceRequest {
  // `id`, or `id@revision`.
  std::string voice;
  // With the recordings that were kept.
  bool with_clips = false;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ExportVoiceResponse {
  // A safetensors file. At most 32 MiB.
  std::string bundle;
  // What it is usually called.
  std::string file_name;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ImportVoiceRequest {
  // A file of ExportVoice, or a published `.pt` voice.
  std::string bundle;
  // Not set: the id in the file, which a `.pt` file does not have.
  std::string id;
  std::optional<Consent> consent;
  // Of a `.pt` file: the encoder that made it.
  std::string space;
  std::string request_id;
  // Makes the next revision of a voice that is there already: it sounds as the file's does. What neither the file nor the
  // request says of it (name, labels, licence, consent) stays as it is.
  bool revise = false;
  // With `revise`: only if the voice still has it.
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ImportVoiceResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API RevokeConsentRequest {
  // The voice.
  std::string id;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API RevokeConsentResponse {
  std::optional<Voice> voice;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct VoiceService {
  // Makes a voice of an embedding. Recordings go to EnrollVoice.
  static constexpr UnaryMethod<CreateVoiceRequest, CreateVoiceResponse> CreateVoice{
      "/kani_npc.v1.VoiceService/CreateVoice"};
  static constexpr UnaryMethod<GetVoiceRequest, GetVoiceResponse> GetVoice{
      "/kani_npc.v1.VoiceService/GetVoice"};
  // By id, those of the model among them.
  static constexpr UnaryMethod<ListVoicesRequest, ListVoicesResponse> ListVoices{
      "/kani_npc.v1.VoiceService/ListVoices"};
  static constexpr UnaryMethod<UpdateVoiceRequest, UpdateVoiceResponse> UpdateVoice{
      "/kani_npc.v1.VoiceService/UpdateVoice"};
  // With its revisions and recordings. Running lines end as they are.
  static constexpr UnaryMethod<DeleteVoiceRequest, DeleteVoiceResponse> DeleteVoice{
      "/kani_npc.v1.VoiceService/DeleteVoice"};
  // Newest first.
  static constexpr UnaryMethod<ListVoiceRevisionsRequest, ListVoiceRevisionsResponse> ListVoiceRevisions{
      "/kani_npc.v1.VoiceService/ListVoiceRevisions"};
  static constexpr UnaryMethod<GetVoiceRevisionRequest, GetVoiceRevisionResponse> GetVoiceRevision{
      "/kani_npc.v1.VoiceService/GetVoiceRevision"};
  // A new revision that sounds as an old one did. What is allowed stays as it is now: a roll-back brings no consent back.
  static constexpr UnaryMethod<RollBackVoiceRequest, RollBackVoiceResponse> RollBackVoice{
      "/kani_npc.v1.VoiceService/RollBackVoice"};
  // Makes a voice of recordings. At most 32 MiB.
  static constexpr UnaryMethod<EnrollVoiceRequest, EnrollVoiceResponse> EnrollVoice{
      "/kani_npc.v1.VoiceService/EnrollVoice"};
  // Makes a voice of several: the mean of their embeddings on the unit sphere.
  static constexpr UnaryMethod<BlendVoicesRequest, BlendVoicesResponse> BlendVoices{
      "/kani_npc.v1.VoiceService/BlendVoices"};
  // Embeds the recordings that a voice kept once more, with the encoder that the server has now.
  static constexpr UnaryMethod<ReembedVoiceRequest, ReembedVoiceResponse> ReembedVoice{
      "/kani_npc.v1.VoiceService/ReembedVoice"};
  // The voice as one file. A voice that must not speak is not exported either; consent does not travel.
  static constexpr UnaryMethod<ExportVoiceRequest, ExportVoiceResponse> ExportVoice{
      "/kani_npc.v1.VoiceService/ExportVoice"};
  // Makes a voice of such a file, or of a published `.pt` file. At most 32 MiB. Adapters in it that the model cannot
  // speak with are refused (FAILED_PRECONDITION, ADAPTER_UNFIT).
  static constexpr UnaryMethod<ImportVoiceRequest, ImportVoiceResponse> ImportVoice{
      "/kani_npc.v1.VoiceService/ImportVoice"};
  // Ends the consent for all revisions of a voice, and its running lines within a second, on every server that shares
  // the store.
  static constexpr UnaryMethod<RevokeConsentRequest, RevokeConsentResponse> RevokeConsent{
      "/kani_npc.v1.VoiceService/RevokeConsent"};
};

}  // namespace kani
