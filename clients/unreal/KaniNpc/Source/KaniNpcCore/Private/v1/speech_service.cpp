// Generated from kani_npc/v1/speech_service.proto. Do not edit: `make proto` writes it.
#include "kani/v1/speech_service.h"

namespace kani {

void SynthesizeRequest::WriteTo(WireWriter& output) const {
  if (!npc.empty()) output.String(10, npc);
  if (!text.empty()) output.String(18, text);
  if (!voice.empty()) output.String(26, voice);
  if (!accent.empty()) output.String(34, accent);
  if (audio) output.Message(42, *audio);
  if (sampling) output.Message(50, *sampling);
  if (seed) output.Int64(56, *seed);
  if (vary) output.Bool(64, vary);
  if (priority != Priority(0)) output.Int32(72, static_cast<std::int32_t>(priority));
  if (pace != Pace(0)) output.Int32(80, static_cast<std::int32_t>(pace));
  if (start_within_ms != 0) output.Int32(88, start_within_ms);
  if (turn != 0) output.Int64(96, turn);
  if (open_text) output.Bool(104, open_text);
  if (hold_until_checked) output.Bool(112, hold_until_checked);
  if (visemes) output.Bool(120, visemes);
}

bool SynthesizeRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: npc = input.String(); break;
      case 18: text = input.String(); break;
      case 26: voice = input.String(); break;
      case 34: accent = input.String(); break;
      case 42:
        if (!audio) audio.emplace();
        input.Message(&*audio);
        break;
      case 50:
        if (!sampling) sampling.emplace();
        input.Message(&*sampling);
        break;
      case 56: seed = input.Int64(); break;
      case 64: vary = input.Bool(); break;
      case 72: priority = Priority(input.Int32()); break;
      case 80: pace = Pace(input.Int32()); break;
      case 88: start_within_ms = input.Int32(); break;
      case 96: turn = input.Int64(); break;
      case 104: open_text = input.Bool(); break;
      case 112: hold_until_checked = input.Bool(); break;
      case 120: visemes = input.Bool(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void TextPiece::WriteTo(WireWriter& output) const {
  if (!text.empty()) output.String(10, text);
  if (flush) output.Bool(16, flush);
  if (close) output.Bool(24, close);
}

bool TextPiece::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: text = input.String(); break;
      case 16: flush = input.Bool(); break;
      case 24: close = input.Bool(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void StreamingSynthesizeRequest::WriteTo(WireWriter& output) const {
  switch (request.index()) {
    case kConfig: output.Message(10, *std::get_if<kConfig>(&request)); break;
    case kPiece: output.Message(18, *std::get_if<kPiece>(&request)); break;
    default: break;
  }
}

bool StreamingSynthesizeRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (request.index() != kConfig) request.emplace<kConfig>();
        input.Message(std::get_if<kConfig>(&request));
        break;
      case 18:
        if (request.index() != kPiece) request.emplace<kPiece>();
        input.Message(std::get_if<kPiece>(&request));
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void SpeechHeader::WriteTo(WireWriter& output) const {
  if (!utterance_id.empty()) output.String(10, utterance_id);
  if (encoding != AudioEncoding(0)) output.Int32(16, static_cast<std::int32_t>(encoding));
  if (sample_rate_hz != 0) output.Int32(24, sample_rate_hz);
  if (!voice.empty()) output.String(34, voice);
  if (voice_revision != 0) output.Int32(40, voice_revision);
  if (!accent.empty()) output.String(50, accent);
  if (!model.empty()) output.String(58, model);
  if (seed != 0) output.Int64(64, seed);
  if (synthetic) output.Bool(72, synthetic);
  if (!sampler_version.empty()) output.String(82, sampler_version);
  if (recommended_prebuffer_ms != 0) output.Int32(88, recommended_prebuffer_ms);
  if (!npc.empty()) output.String(98, npc);
}

bool SpeechHeader::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: utterance_id = input.String(); break;
      case 16: encoding = AudioEncoding(input.Int32()); break;
      case 24: sample_rate_hz = input.Int32(); break;
      case 34: voice = input.String(); break;
      case 40: voice_revision = input.Int32(); break;
      case 50: accent = input.String(); break;
      case 58: model = input.String(); break;
      case 64: seed = input.Int64(); break;
      case 72: synthetic = input.Bool(); break;
      case 82: sampler_version = input.String(); break;
      case 88: recommended_prebuffer_ms = input.Int32(); break;
      case 98: npc = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void SpeechAudio::WriteTo(WireWriter& output) const {
  if (!data.empty()) output.Bytes(10, data);
  if (first_sample != 0) output.Int64(16, first_sample);
}

bool SpeechAudio::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: data = input.Bytes(); break;
      case 16: first_sample = input.Int64(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void SpeechEnd::WriteTo(WireWriter& output) const {
  if (finish_reason != FinishReason(0)) output.Int32(8, static_cast<std::int32_t>(finish_reason));
  if (total_samples != 0) output.Int64(16, total_samples);
  if (!IsZeroBits(elapsed_ms)) output.Double(25, elapsed_ms);
  if (!IsZeroBits(compute_ms)) output.Double(33, compute_ms);
  if (!IsZeroBits(queued_ms)) output.Double(41, queued_ms);
  if (!IsZeroBits(first_audio_ms)) output.Double(49, first_audio_ms);
  if (cache_hit) output.Bool(56, cache_hit);
  if (attempts != 0) output.Int32(64, attempts);
}

bool SpeechEnd::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: finish_reason = FinishReason(input.Int32()); break;
      case 16: total_samples = input.Int64(); break;
      case 25: elapsed_ms = input.Double(); break;
      case 33: compute_ms = input.Double(); break;
      case 41: queued_ms = input.Double(); break;
      case 49: first_audio_ms = input.Double(); break;
      case 56: cache_hit = input.Bool(); break;
      case 64: attempts = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void SpeechTiming::WriteTo(WireWriter& output) const {
  if (first_sample != 0) output.Int64(8, first_sample);
  if (hop_samples != 0) output.Int32(16, hop_samples);
  if (!weights.empty()) {
    const std::size_t mark = output.Begin(26);
    for (const auto value : weights) output.Float(value);
    output.End(mark);
  }
  if (!openness.empty()) {
    const std::size_t mark = output.Begin(34);
    for (const auto value : openness) output.Float(value);
    output.End(mark);
  }
}

bool SpeechTiming::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: first_sample = input.Int64(); break;
      case 16: hop_samples = input.Int32(); break;
      case 29: weights.push_back(input.Float()); break;
      case 26: {
        const WireReader::Limit outer = input.Enter();
        while (!input.AtEnd()) weights.push_back(input.Float());
        input.Leave(outer);
        break;
      }
      case 37: openness.push_back(input.Float()); break;
      case 34: {
        const WireReader::Limit outer = input.Enter();
        while (!input.AtEnd()) openness.push_back(input.Float());
        input.Leave(outer);
        break;
      }
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void StreamingSynthesizeResponse::WriteTo(WireWriter& output) const {
  switch (event.index()) {
    case kHeader: output.Message(10, *std::get_if<kHeader>(&event)); break;
    case kAudio: output.Message(18, *std::get_if<kAudio>(&event)); break;
    case kEnd: output.Message(26, *std::get_if<kEnd>(&event)); break;
    case kTiming: output.Message(34, *std::get_if<kTiming>(&event)); break;
    default: break;
  }
}

bool StreamingSynthesizeResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (event.index() != kHeader) event.emplace<kHeader>();
        input.Message(std::get_if<kHeader>(&event));
        break;
      case 18:
        if (event.index() != kAudio) event.emplace<kAudio>();
        input.Message(std::get_if<kAudio>(&event));
        break;
      case 26:
        if (event.index() != kEnd) event.emplace<kEnd>();
        input.Message(std::get_if<kEnd>(&event));
        break;
      case 34:
        if (event.index() != kTiming) event.emplace<kTiming>();
        input.Message(std::get_if<kTiming>(&event));
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void AppendTextRequest::WriteTo(WireWriter& output) const {
  if (!utterance_id.empty()) output.String(10, utterance_id);
  if (piece) output.Message(18, *piece);
  if (sequence != 0) output.Int32(24, sequence);
}

bool AppendTextRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: utterance_id = input.String(); break;
      case 18:
        if (!piece) piece.emplace();
        input.Message(&*piece);
        break;
      case 24: sequence = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void AppendTextResponse::WriteTo(WireWriter& output) const {
  if (next_sequence != 0) output.Int32(8, next_sequence);
}

bool AppendTextResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: next_sequence = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void InterruptRequest::WriteTo(WireWriter& output) const {
  switch (target.index()) {
    case kNpc: output.String(10, *std::get_if<kNpc>(&target)); break;
    case kUtteranceId: output.String(18, *std::get_if<kUtteranceId>(&target)); break;
    default: break;
  }
}

bool InterruptRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: target.emplace<kNpc>(input.String()); break;
      case 18: target.emplace<kUtteranceId>(input.String()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void InterruptedLine::WriteTo(WireWriter& output) const {
  if (!utterance_id.empty()) output.String(10, utterance_id);
  if (samples_sent != 0) output.Int64(16, samples_sent);
  if (sample_rate_hz != 0) output.Int32(24, sample_rate_hz);
}

bool InterruptedLine::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: utterance_id = input.String(); break;
      case 16: samples_sent = input.Int64(); break;
      case 24: sample_rate_hz = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void InterruptResponse::WriteTo(WireWriter& output) const {
  for (const auto& item : lines) output.Message(10, item);
}

bool InterruptResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: lines.emplace_back(); input.Message(&lines.back()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void PrewarmRequest::WriteTo(WireWriter& output) const {
  for (const auto& item : lines) output.Message(10, item);
}

bool PrewarmRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: lines.emplace_back(); input.Message(&lines.back()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void PrewarmResponse::WriteTo(WireWriter& output) const {
  if (line != 0) output.Int32(8, line);
  if (outcome != PrewarmOutcome(0)) output.Int32(16, static_cast<std::int32_t>(outcome));
  if (total_samples != 0) output.Int64(24, total_samples);
  if (!reason.empty()) output.String(34, reason);
  if (!message.empty()) output.String(42, message);
}

bool PrewarmResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: line = input.Int32(); break;
      case 16: outcome = PrewarmOutcome(input.Int32()); break;
      case 24: total_samples = input.Int64(); break;
      case 34: reason = input.String(); break;
      case 42: message = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void SynthesizeResponse::WriteTo(WireWriter& output) const {
  switch (event.index()) {
    case kHeader: output.Message(10, *std::get_if<kHeader>(&event)); break;
    case kAudio: output.Message(18, *std::get_if<kAudio>(&event)); break;
    case kEnd: output.Message(26, *std::get_if<kEnd>(&event)); break;
    case kTiming: output.Message(34, *std::get_if<kTiming>(&event)); break;
    default: break;
  }
}

bool SynthesizeResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10:
        if (event.index() != kHeader) event.emplace<kHeader>();
        input.Message(std::get_if<kHeader>(&event));
        break;
      case 18:
        if (event.index() != kAudio) event.emplace<kAudio>();
        input.Message(std::get_if<kAudio>(&event));
        break;
      case 26:
        if (event.index() != kEnd) event.emplace<kEnd>();
        input.Message(std::get_if<kEnd>(&event));
        break;
      case 34:
        if (event.index() != kTiming) event.emplace<kTiming>();
        input.Message(std::get_if<kTiming>(&event));
        break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetServerInfoRequest::WriteTo(WireWriter&) const {
}

bool GetServerInfoRequest::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void ModelInfo::WriteTo(WireWriter& output) const {
  if (!name.empty()) output.String(10, name);
  if (!licence.empty()) output.String(18, licence);
  if (sample_rate_hz != 0) output.Int32(24, sample_rate_hz);
  if (samples_per_frame != 0) output.Int32(32, samples_per_frame);
  if (!speaker_space.empty()) output.String(42, speaker_space);
  for (const auto& item : languages) output.String(50, item);
  if (sampling) output.Message(58, *sampling);
  if (!sampler_version.empty()) output.String(66, sampler_version);
  for (const auto& item : assumed_defaults) output.String(74, item);
}

bool ModelInfo::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: name = input.String(); break;
      case 18: licence = input.String(); break;
      case 24: sample_rate_hz = input.Int32(); break;
      case 32: samples_per_frame = input.Int32(); break;
      case 42: speaker_space = input.String(); break;
      case 50: languages.push_back(input.String()); break;
      case 58:
        if (!sampling) sampling.emplace();
        input.Message(&*sampling);
        break;
      case 66: sampler_version = input.String(); break;
      case 74: assumed_defaults.push_back(input.String()); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void VoiceInfo::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!display_name.empty()) output.String(18, display_name);
  if (!accent.empty()) output.String(26, accent);
  if (!licence.empty()) output.String(34, licence);
  if (revision != 0) output.Int32(40, revision);
}

bool VoiceInfo::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: display_name = input.String(); break;
      case 26: accent = input.String(); break;
      case 34: licence = input.String(); break;
      case 40: revision = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void AccentInfo::WriteTo(WireWriter& output) const {
  if (!id.empty()) output.String(10, id);
  if (!tag.empty()) output.String(18, tag);
}

bool AccentInfo::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: id = input.String(); break;
      case 18: tag = input.String(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void Capacity::WriteTo(WireWriter& output) const {
  if (num_slots != 0) output.Int32(8, num_slots);
  if (active != 0) output.Int32(16, active);
  if (waiting != 0) output.Int32(24, waiting);
}

bool Capacity::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 8: num_slots = input.Int32(); break;
      case 16: active = input.Int32(); break;
      case 24: waiting = input.Int32(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

void GetServerInfoResponse::WriteTo(WireWriter& output) const {
  if (!version.empty()) output.String(10, version);
  if (model) output.Message(18, *model);
  for (const auto& item : voices) output.Message(26, item);
  if (!default_voice.empty()) output.String(34, default_voice);
  for (const auto& item : accents) output.Message(42, item);
  if (!default_accent.empty()) output.String(50, default_accent);
  if (!encodings.empty()) {
    const std::size_t mark = output.Begin(58);
    for (const auto value : encodings) output.Int32(static_cast<std::int32_t>(value));
    output.End(mark);
  }
  if (!sample_rates_hz.empty()) {
    const std::size_t mark = output.Begin(66);
    for (const auto value : sample_rates_hz) output.Int32(value);
    output.End(mark);
  }
  if (capacity) output.Message(74, *capacity);
  if (reproducible) output.Bool(80, reproducible);
}

bool GetServerInfoResponse::MergeFrom(WireReader& input) {
  while (const std::uint32_t wire_tag = input.Tag()) {
    switch (wire_tag) {
      case 10: version = input.String(); break;
      case 18:
        if (!model) model.emplace();
        input.Message(&*model);
        break;
      case 26: voices.emplace_back(); input.Message(&voices.back()); break;
      case 34: default_voice = input.String(); break;
      case 42: accents.emplace_back(); input.Message(&accents.back()); break;
      case 50: default_accent = input.String(); break;
      case 56: encodings.push_back(AudioEncoding(input.Int32())); break;
      case 58: {
        const WireReader::Limit outer = input.Enter();
        while (!input.AtEnd()) encodings.push_back(AudioEncoding(input.Int32()));
        input.Leave(outer);
        break;
      }
      case 64: sample_rates_hz.push_back(input.Int32()); break;
      case 66: {
        const WireReader::Limit outer = input.Enter();
        while (!input.AtEnd()) sample_rates_hz.push_back(input.Int32());
        input.Leave(outer);
        break;
      }
      case 74:
        if (!capacity) capacity.emplace();
        input.Message(&*capacity);
        break;
      case 80: reproducible = input.Bool(); break;
      default: input.Skip(wire_tag); break;
    }
  }
  return input.ok();
}

}  // namespace kani
