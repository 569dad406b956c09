// Generated from kani_npc/v1/lexicon_service.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/v1/field_mask.h"
#include "kani/v1/timestamp.h"
#include "kani/wire.h"

namespace kani {

struct KANI_API Lexicon {
  // 1 to 63 of a-z, 0-9 and -. Never changes.
  std::string id;
  std::string display_name;
  std::map<std::string, std::string> labels;
  std::string etag;
  // Output only. Moves when an entry changes.
  std::int32_t revision = 0;
  // Output only.
  std::optional<Timestamp> create_time;
  // Output only.
  std::optional<Timestamp> update_time;
  // A word, or several, and how to write it so that it is said right: {"Cthulhu": "kuh thoo loo"}. Upper and lower case
  // are the same, whole words are found, the longest first, and what is put in is not looked up again. At most 2000.
  std::map<std::string, std::string> entries;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateLexiconRequest {
  std::optional<Lexicon> lexicon;
  std::string request_id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API CreateLexiconResponse {
  std::optional<Lexicon> lexicon;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetLexiconRequest {
  std::string id;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetLexiconResponse {
  std::optional<Lexicon> lexicon;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListLexiconsRequest {
  std::int32_t page_size = 0;
  std::string page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListLexiconsResponse {
  std::vector<Lexicon> lexicons;
  std::string next_page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateLexiconRequest {
  std::optional<Lexicon> lexicon;
  std::optional<FieldMask> update_mask;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API UpdateLexiconResponse {
  std::optional<Lexicon> lexicon;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteLexiconRequest {
  std::string id;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API DeleteLexiconResponse {
  // No fields yet.
  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListLexiconRevisionsRequest {
  std::string id;
  std::int32_t page_size = 0;
  std::string page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ListLexiconRevisionsResponse {
  std::vector<Lexicon> lexicons;
  std::string next_page_token;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API RollBackLexiconRequest {
  std::string id;
  std::int32_t revision = 0;
  std::string etag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API RollBackLexiconResponse {
  std::optional<Lexicon> lexicon;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct LexiconService {
  static constexpr UnaryMethod<CreateLexiconRequest, CreateLexiconResponse> CreateLexicon{
      "/kani_npc.v1.LexiconService/CreateLexicon"};
  static constexpr UnaryMethod<GetLexiconRequest, GetLexiconResponse> GetLexicon{
      "/kani_npc.v1.LexiconService/GetLexicon"};
  static constexpr UnaryMethod<ListLexiconsRequest, ListLexiconsResponse> ListLexicons{
      "/kani_npc.v1.LexiconService/ListLexicons"};
  static constexpr UnaryMethod<UpdateLexiconRequest, UpdateLexiconResponse> UpdateLexicon{
      "/kani_npc.v1.LexiconService/UpdateLexicon"};
  static constexpr UnaryMethod<DeleteLexiconRequest, DeleteLexiconResponse> DeleteLexicon{
      "/kani_npc.v1.LexiconService/DeleteLexicon"};
  // Newest first.
  static constexpr UnaryMethod<ListLexiconRevisionsRequest, ListLexiconRevisionsResponse> ListLexiconRevisions{
      "/kani_npc.v1.LexiconService/ListLexiconRevisions"};
  // A new revision with the words of an old one.
  static constexpr UnaryMethod<RollBackLexiconRequest, RollBackLexiconResponse> RollBackLexicon{
      "/kani_npc.v1.LexiconService/RollBackLexicon"};
};

}  // namespace kani
