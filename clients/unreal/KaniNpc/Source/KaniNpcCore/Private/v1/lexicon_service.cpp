// Generated from kani_npc/v1/lexicon_service.proto. Do not edit: `make proto` writes it.
#include "kani/v1/lexicon_service.h"

namespace kani {

void Lexicon::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!display_name.empty()) output.String(18, display_name);
  output.Map(26, labels);
  if (!etag.empty()) output.String(34, etag);
  if (revision != 0) output.Int32(40, revision);
  if (create_time) output.Message(50, *create_time);
  if (update_time) output.Message(58, *update_time);
  output.Map(66, entries);
}

bool Lexicon::MergeFrom(WireReader& input) {
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
      case 66: input.MapEntry(&entries); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateLexiconRequest::WriteTo(WireWriter& output) const {
  if (lexicon) output.Message(10, *lexicon);
  if (!request_id.empty()) output.String(18, request_id);
}

bool CreateLexiconRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!lexicon) lexicon.emplace();
        input.Message(&*lexicon);
        break;
      case 18: request_id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateLexiconResponse::WriteTo(WireWriter& output) const {
  if (lexicon) output.Message(10, *lexicon);
}

bool CreateLexiconResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!lexicon) lexicon.emplace();
        input.Message(&*lexicon);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetLexiconRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
}

bool GetLexiconRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetLexiconResponse::WriteTo(WireWriter& output) const {
  if (lexicon) output.Message(10, *lexicon);
}

bool GetLexiconResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!lexicon) lexicon.emplace();
        input.Message(&*lexicon);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListLexiconsRequest::WriteTo(WireWriter& output) const {
  if (page_size != 0) output.Int32(8, page_size);
  if (!page_token.empty()) output.String(18, page_token);
}

bool ListLexiconsRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: page_size = input.Int32(); break;
      case 18: page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListLexiconsResponse::WriteTo(WireWriter& output) const {
  for (const auto& item : lexicons) output.Message(10, item);
  if (!next_page_token.empty()) output.String(18, next_page_token);
}

bool ListLexiconsResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: lexicons.emplace_back(); input.Message(&lexicons.back()); break;
      case 18: next_page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void UpdateLexiconRequest::WriteTo(WireWriter& output) const {
  if (lexicon) output.Message(10, *lexicon);
  if (update_mask) output.Message(18, *update_mask);
}

bool UpdateLexiconRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!lexicon) lexicon.emplace();
        input.Message(&*lexicon);
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

void UpdateLexiconResponse::WriteTo(WireWriter& output) const {
  if (lexicon) output.Message(10, *lexicon);
}

bool UpdateLexiconResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!lexicon) lexicon.emplace();
        input.Message(&*lexicon);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteLexiconRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!etag.empty()) output.String(18, etag);
}

bool DeleteLexiconRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteLexiconResponse::WriteTo(WireWriter&) const {
}

bool DeleteLexiconResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListLexiconRevisionsRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (page_size != 0) output.Int32(16, page_size);
  if (!page_token.empty()) output.String(26, page_token);
}

bool ListLexiconRevisionsRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 16: page_size = input.Int32(); break;
      case 26: page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListLexiconRevisionsResponse::WriteTo(WireWriter& output) const {
  for (const auto& item : lexicons) output.Message(10, item);
  if (!next_page_token.empty()) output.String(18, next_page_token);
}

bool ListLexiconRevisionsResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: lexicons.emplace_back(); input.Message(&lexicons.back()); break;
      case 18: next_page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void RollBackLexiconRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (revision != 0) output.Int32(16, revision);
  if (!etag.empty()) output.String(26, etag);
}

bool RollBackLexiconRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 16: revision = input.Int32(); break;
      case 26: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void RollBackLexiconResponse::WriteTo(WireWriter& output) const {
  if (lexicon) output.Message(10, *lexicon);
}

bool RollBackLexiconResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!lexicon) lexicon.emplace();
        input.Message(&*lexicon);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
