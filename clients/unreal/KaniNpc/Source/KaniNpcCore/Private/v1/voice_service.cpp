// Generated from kani_npc/v1/voice_service.proto. Do not edit: `make proto` writes it.
#include "kani/v1/voice_service.h"

namespace kani {

void Consent::WriteTo(WireWriter& output) const {
  if (kind != ConsentKind(0)) output.Int32(8, static_cast<std::int32_t>(kind));
  if (!holder.empty()) output.String(18, holder);
  if (!statement.empty()) output.String(26, statement);
  if (!scope.empty()) output.String(34, scope);
  if (expire_time) output.Message(42, *expire_time);
  if (!statement_sha256.empty()) output.String(50, statement_sha256);
  if (revoke_time) output.Message(58, *revoke_time);
}

bool Consent::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: kind = ConsentKind(input.Int32()); break;
      case 18: holder = input.String(); break;
      case 26: statement = input.String(); break;
      case 34: scope = input.String(); break;
      case 42:
        if (!expire_time) expire_time.emplace();
        input.Message(&*expire_time);
        break;
      case 50: statement_sha256 = input.String(); break;
      case 58:
        if (!revoke_time) revoke_time.emplace();
        input.Message(&*revoke_time);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void Embedding::WriteTo(WireWriter& output) const {
  if (!space.empty()) output.String(10, space);
  if (!values.empty()) {
    const std::size_t mark = output.Begin(18);
    for (const auto value : values) output.Float(value);
    output.End(mark);
  }
}

bool Embedding::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: space = input.String(); break;
      case 21: values.push_back(input.Float()); break;
      case 18: {
        const WireReader::Limit outer = input.Enter();
        while (!input.AtEnd()) values.push_back(input.Float());
        input.Leave(outer);
        break;
      }
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void BlendShare::WriteTo(WireWriter& output) const {
  if (!voice.empty()) output.String(10, voice);
  if (!IsZeroBits(weight)) output.Double(17, weight);
}

bool BlendShare::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: voice = input.String(); break;
      case 17: weight = input.Double(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void Voice::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!display_name.empty()) output.String(18, display_name);
  output.Map(26, labels);
  if (!etag.empty()) output.String(34, etag);
  if (revision != 0) output.Int32(40, revision);
  if (create_time) output.Message(50, *create_time);
  if (update_time) output.Message(58, *update_time);
  if (source != VoiceSource(0)) output.Int32(64, static_cast<std::int32_t>(source));
  if (embedding) output.Message(74, *embedding);
  if (!tag.empty()) output.String(82, tag);
  if (!licence.empty()) output.String(90, licence);
  if (consent) output.Message(98, *consent);
  for (const auto& item : parents) output.Message(106, item);
  if (num_clips != 0) output.Int32(112, num_clips);
  if (!content_hash.empty()) output.String(122, content_hash);
  if (!lora.empty()) output.String(130, lora);
  if (!codec_delta.empty()) output.String(138, codec_delta);
  if (!report.empty()) output.String(146, report);
}

bool Voice::MergeFrom(WireReader& input) {
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
      case 64: source = VoiceSource(input.Int32()); break;
      case 74:
        if (!embedding) embedding.emplace();
        input.Message(&*embedding);
        break;
      case 82: tag = input.String(); break;
      case 90: licence = input.String(); break;
      case 98:
        if (!consent) consent.emplace();
        input.Message(&*consent);
        break;
      case 106: parents.emplace_back(); input.Message(&parents.back()); break;
      case 112: num_clips = input.Int32(); break;
      case 122: content_hash = input.String(); break;
      case 130: lora = input.String(); break;
      case 138: codec_delta = input.String(); break;
      case 146: report = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateVoiceRequest::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
  if (!request_id.empty()) output.String(18, request_id);
}

bool CreateVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      case 18: request_id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void CreateVoiceResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool CreateVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetVoiceRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
}

bool GetVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetVoiceResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool GetVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListVoicesRequest::WriteTo(WireWriter& output) const {
  if (page_size != 0) output.Int32(8, page_size);
  if (!page_token.empty()) output.String(18, page_token);
}

bool ListVoicesRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: page_size = input.Int32(); break;
      case 18: page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListVoicesResponse::WriteTo(WireWriter& output) const {
  for (const auto& item : voices) output.Message(10, item);
  if (!next_page_token.empty()) output.String(18, next_page_token);
}

bool ListVoicesResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: voices.emplace_back(); input.Message(&voices.back()); break;
      case 18: next_page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void UpdateVoiceRequest::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
  if (update_mask) output.Message(18, *update_mask);
}

bool UpdateVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
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

void UpdateVoiceResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool UpdateVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteVoiceRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!etag.empty()) output.String(18, etag);
}

bool DeleteVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void DeleteVoiceResponse::WriteTo(WireWriter&) const {
}

bool DeleteVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ListVoiceRevisionsRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (page_size != 0) output.Int32(16, page_size);
  if (!page_token.empty()) output.String(26, page_token);
}

bool ListVoiceRevisionsRequest::MergeFrom(WireReader& input) {
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

void ListVoiceRevisionsResponse::WriteTo(WireWriter& output) const {
  for (const auto& item : voices) output.Message(10, item);
  if (!next_page_token.empty()) output.String(18, next_page_token);
}

bool ListVoiceRevisionsResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: voices.emplace_back(); input.Message(&voices.back()); break;
      case 18: next_page_token = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetVoiceRevisionRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (revision != 0) output.Int32(16, revision);
}

bool GetVoiceRevisionRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 16: revision = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetVoiceRevisionResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool GetVoiceRevisionResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void RollBackVoiceRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (revision != 0) output.Int32(16, revision);
  if (!etag.empty()) output.String(26, etag);
}

bool RollBackVoiceRequest::MergeFrom(WireReader& input) {
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

void RollBackVoiceResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool RollBackVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void EnrollVoiceRequest::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
  for (const auto& item : clips) output.Bytes(18, item);
  if (keep_clips) output.Bool(24, keep_clips);
  if (!request_id.empty()) output.String(34, request_id);
  if (revise) output.Bool(40, revise);
}

bool EnrollVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      case 18: clips.push_back(input.Bytes()); break;
      case 24: keep_clips = input.Bool(); break;
      case 34: request_id = input.String(); break;
      case 40: revise = input.Bool(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ClipReport::WriteTo(WireWriter& output) const {
  if (!IsZeroBits(duration_s)) output.Double(9, duration_s);
  if (!IsZeroBits(speech_s)) output.Double(17, speech_s);
  if (sample_rate_hz != 0) output.Int32(24, sample_rate_hz);
  if (channels != 0) output.Int32(32, channels);
  if (!file_format.empty()) output.String(42, file_format);
  if (!IsZeroBits(level_dbfs)) output.Double(49, level_dbfs);
  if (!IsZeroBits(clipped_share)) output.Double(57, clipped_share);
  if (!IsZeroBits(likeness)) output.Double(65, likeness);
  if (!IsZeroBits(steadiness)) output.Double(73, steadiness);
}

bool ClipReport::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 9: duration_s = input.Double(); break;
      case 17: speech_s = input.Double(); break;
      case 24: sample_rate_hz = input.Int32(); break;
      case 32: channels = input.Int32(); break;
      case 42: file_format = input.String(); break;
      case 49: level_dbfs = input.Double(); break;
      case 57: clipped_share = input.Double(); break;
      case 65: likeness = input.Double(); break;
      case 73: steadiness = input.Double(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void EnrollVoiceResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
  for (const auto& item : clips) output.Message(18, item);
}

bool EnrollVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      case 18: clips.emplace_back(); input.Message(&clips.back()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void BlendVoicesRequest::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
  for (const auto& item : shares) output.Message(18, item);
  if (!request_id.empty()) output.String(26, request_id);
}

bool BlendVoicesRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      case 18: shares.emplace_back(); input.Message(&shares.back()); break;
      case 26: request_id = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void BlendVoicesResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool BlendVoicesResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ReembedVoiceRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!etag.empty()) output.String(18, etag);
}

bool ReembedVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ReembedVoiceResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool ReembedVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ExportVoiceRequest::WriteTo(WireWriter& output) const {
  if (!voice.empty()) output.String(10, voice);
  if (with_clips) output.Bool(16, with_clips);
}

bool ExportVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: voice = input.String(); break;
      case 16: with_clips = input.Bool(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ExportVoiceResponse::WriteTo(WireWriter& output) const {
  if (!bundle.empty()) output.Bytes(10, bundle);
  if (!file_name.empty()) output.String(18, file_name);
}

bool ExportVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: bundle = input.Bytes(); break;
      case 18: file_name = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ImportVoiceRequest::WriteTo(WireWriter& output) const {
  if (!bundle.empty()) output.Bytes(10, bundle);
  if (!id.empty()) output.String(18, id);
  if (consent) output.Message(26, *consent);
  if (!space.empty()) output.String(34, space);
  if (!request_id.empty()) output.String(42, request_id);
  if (revise) output.Bool(48, revise);
  if (!etag.empty()) output.String(58, etag);
}

bool ImportVoiceRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: bundle = input.Bytes(); break;
      case 18: id = input.String(); break;
      case 26:
        if (!consent) consent.emplace();
        input.Message(&*consent);
        break;
      case 34: space = input.String(); break;
      case 42: request_id = input.String(); break;
      case 48: revise = input.Bool(); break;
      case 58: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ImportVoiceResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool ImportVoiceResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void RevokeConsentRequest::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!etag.empty()) output.String(18, etag);
}

bool RevokeConsentRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: etag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void RevokeConsentResponse::WriteTo(WireWriter& output) const {
  if (voice) output.Message(10, *voice);
}

bool RevokeConsentResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (!voice) voice.emplace();
        input.Message(&*voice);
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
