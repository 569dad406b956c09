// What the messages and services of kani_npc.v1 are made of. Written by `python -m tools.generate_web`; do not edit.
import { enumeration, map, message, repeated } from "./wire.js";

export const AudioEncoding = enumeration({
  AUDIO_ENCODING_UNSPECIFIED: 0,
  AUDIO_ENCODING_LINEAR16: 1,
  AUDIO_ENCODING_FLOAT32: 2,
  AUDIO_ENCODING_MULAW: 3,
  AUDIO_ENCODING_OGG_OPUS: 4,
});

export const ConsentKind = enumeration({
  CONSENT_KIND_UNSPECIFIED: 0,
  CONSENT_KIND_GRANTED: 1,
  CONSENT_KIND_OWN_VOICE: 2,
  CONSENT_KIND_SYNTHETIC: 3,
});

export const FinishReason = enumeration({
  FINISH_REASON_UNSPECIFIED: 0,
  FINISH_REASON_END_OF_SPEECH: 1,
  FINISH_REASON_MAX_FRAMES: 2,
  FINISH_REASON_INTERRUPTED: 3,
  FINISH_REASON_SUPERSEDED: 4,
  FINISH_REASON_WATCHDOG: 5,
});

export const Pace = enumeration({
  PACE_UNSPECIFIED: 0,
  PACE_REALTIME: 1,
  PACE_UNPACED: 2,
});

export const PrewarmOutcome = enumeration({
  PREWARM_OUTCOME_UNSPECIFIED: 0,
  PREWARM_OUTCOME_MADE: 1,
  PREWARM_OUTCOME_CACHED: 2,
  PREWARM_OUTCOME_FAILED: 3,
});

export const Priority = enumeration({
  PRIORITY_UNSPECIFIED: 0,
  PRIORITY_AMBIENT: 1,
  PRIORITY_BARK: 2,
  PRIORITY_DIALOGUE: 3,
  PRIORITY_CRITICAL: 4,
});

export const SeedPolicy = enumeration({
  SEED_POLICY_UNSPECIFIED: 0,
  SEED_POLICY_DERIVED: 1,
  SEED_POLICY_FIXED: 2,
  SEED_POLICY_VARY: 3,
});

export const VoiceSource = enumeration({
  VOICE_SOURCE_UNSPECIFIED: 0,
  VOICE_SOURCE_ENROLLED: 1,
  VOICE_SOURCE_BLENDED: 2,
  VOICE_SOURCE_IMPORTED: 3,
  VOICE_SOURCE_FINE_TUNED: 4,
  VOICE_SOURCE_BUILTIN: 5,
});

export const Any = message("google.protobuf.Any", () => [
  [1, "typeUrl", "string"],
  [2, "value", "bytes"],
]);

export const Duration = message("google.protobuf.Duration", () => [
  [1, "seconds", "int64"],
  [2, "nanos", "int32"],
]);

export const FieldMask = message("google.protobuf.FieldMask", () => [
  [1, "paths", repeated("string")],
]);

export const Timestamp = message("google.protobuf.Timestamp", () => [
  [1, "seconds", "int64"],
  [2, "nanos", "int32"],
]);

export const BadRequest = message("google.rpc.BadRequest", () => [
  [1, "fieldViolations", repeated(BadRequest_FieldViolation)],
]);

export const BadRequest_FieldViolation = message("google.rpc.BadRequest.FieldViolation", () => [
  [1, "field", "string"],
  [2, "description", "string"],
  [3, "reason", "string"],
  [4, "localizedMessage", LocalizedMessage],
]);

export const ErrorInfo = message("google.rpc.ErrorInfo", () => [
  [1, "reason", "string"],
  [2, "domain", "string"],
  [3, "metadata", map("string", "string")],
]);

export const LocalizedMessage = message("google.rpc.LocalizedMessage", () => [
  [1, "locale", "string"],
  [2, "message", "string"],
]);

export const RetryInfo = message("google.rpc.RetryInfo", () => [
  [1, "retryDelay", Duration],
]);

export const Status = message("google.rpc.Status", () => [
  [1, "code", "int32"],
  [2, "message", "string"],
  [3, "details", repeated(Any)],
]);

export const Accent = message("kani_npc.v1.Accent", () => [
  [1, "id", "string"],
  [2, "displayName", "string"],
  [3, "labels", map("string", "string")],
  [4, "etag", "string"],
  [5, "revision", "int32"],
  [6, "createTime", Timestamp],
  [7, "updateTime", Timestamp],
  [8, "tag", "string"],
  [9, "sampling", Sampling],
  [10, "builtin", "bool"],
]);

export const AccentInfo = message("kani_npc.v1.AccentInfo", () => [
  [1, "id", "string"],
  [2, "tag", "string"],
]);

export const AppendTextRequest = message("kani_npc.v1.AppendTextRequest", () => [
  [1, "utteranceId", "string"],
  [2, "piece", TextPiece],
  [3, "sequence", "int32"],
]);

export const AppendTextResponse = message("kani_npc.v1.AppendTextResponse", () => [
  [1, "nextSequence", "int32"],
]);

export const AudioFormat = message("kani_npc.v1.AudioFormat", () => [
  [1, "encoding", AudioEncoding],
  [2, "sampleRateHz", "int32"],
]);

export const BlendShare = message("kani_npc.v1.BlendShare", () => [
  [1, "voice", "string"],
  [2, "weight", "double"],
]);

export const BlendVoicesRequest = message("kani_npc.v1.BlendVoicesRequest", () => [
  [1, "voice", Voice],
  [2, "shares", repeated(BlendShare)],
  [3, "requestId", "string"],
]);

export const BlendVoicesResponse = message("kani_npc.v1.BlendVoicesResponse", () => [
  [1, "voice", Voice],
]);

export const Capacity = message("kani_npc.v1.Capacity", () => [
  [1, "numSlots", "int32"],
  [2, "active", "int32"],
  [3, "waiting", "int32"],
]);

export const ClipReport = message("kani_npc.v1.ClipReport", () => [
  [1, "durationS", "double"],
  [2, "speechS", "double"],
  [3, "sampleRateHz", "int32"],
  [4, "channels", "int32"],
  [5, "fileFormat", "string"],
  [6, "levelDbfs", "double"],
  [7, "clippedShare", "double"],
  [8, "likeness", "double"],
  [9, "steadiness", "double"],
]);

export const Consent = message("kani_npc.v1.Consent", () => [
  [1, "kind", ConsentKind],
  [2, "holder", "string"],
  [3, "statement", "string"],
  [4, "scope", "string"],
  [5, "expireTime", Timestamp],
  [6, "statementSha256", "string"],
  [7, "revokeTime", Timestamp],
]);

export const CreateAccentRequest = message("kani_npc.v1.CreateAccentRequest", () => [
  [1, "accent", Accent],
  [2, "requestId", "string"],
]);

export const CreateAccentResponse = message("kani_npc.v1.CreateAccentResponse", () => [
  [1, "accent", Accent],
]);

export const CreateLexiconRequest = message("kani_npc.v1.CreateLexiconRequest", () => [
  [1, "lexicon", Lexicon],
  [2, "requestId", "string"],
]);

export const CreateLexiconResponse = message("kani_npc.v1.CreateLexiconResponse", () => [
  [1, "lexicon", Lexicon],
]);

export const CreateNpcRequest = message("kani_npc.v1.CreateNpcRequest", () => [
  [1, "npc", Npc],
  [2, "requestId", "string"],
]);

export const CreateNpcResponse = message("kani_npc.v1.CreateNpcResponse", () => [
  [1, "npc", Npc],
]);

export const CreateVoiceRequest = message("kani_npc.v1.CreateVoiceRequest", () => [
  [1, "voice", Voice],
  [2, "requestId", "string"],
]);

export const CreateVoiceResponse = message("kani_npc.v1.CreateVoiceResponse", () => [
  [1, "voice", Voice],
]);

export const DeleteAccentRequest = message("kani_npc.v1.DeleteAccentRequest", () => [
  [1, "id", "string"],
  [2, "etag", "string"],
]);

export const DeleteAccentResponse = message("kani_npc.v1.DeleteAccentResponse", () => [
]);

export const DeleteLexiconRequest = message("kani_npc.v1.DeleteLexiconRequest", () => [
  [1, "id", "string"],
  [2, "etag", "string"],
]);

export const DeleteLexiconResponse = message("kani_npc.v1.DeleteLexiconResponse", () => [
]);

export const DeleteNpcRequest = message("kani_npc.v1.DeleteNpcRequest", () => [
  [1, "id", "string"],
  [2, "etag", "string"],
]);

export const DeleteNpcResponse = message("kani_npc.v1.DeleteNpcResponse", () => [
]);

export const DeleteVoiceRequest = message("kani_npc.v1.DeleteVoiceRequest", () => [
  [1, "id", "string"],
  [2, "etag", "string"],
]);

export const DeleteVoiceResponse = message("kani_npc.v1.DeleteVoiceResponse", () => [
]);

export const Delivery = message("kani_npc.v1.Delivery", () => [
  [1, "gainDb", "double"],
  [2, "pauseMs", "int32"],
  [3, "edgeSilenceMs", "int32", "_edge_silence_ms"],
]);

export const Embedding = message("kani_npc.v1.Embedding", () => [
  [1, "space", "string"],
  [2, "values", repeated("float")],
]);

export const EnrollVoiceRequest = message("kani_npc.v1.EnrollVoiceRequest", () => [
  [1, "voice", Voice],
  [2, "clips", repeated("bytes")],
  [3, "keepClips", "bool"],
  [4, "requestId", "string"],
  [5, "revise", "bool"],
]);

export const EnrollVoiceResponse = message("kani_npc.v1.EnrollVoiceResponse", () => [
  [1, "voice", Voice],
  [2, "clips", repeated(ClipReport)],
]);

export const ExportVoiceRequest = message("kani_npc.v1.ExportVoiceRequest", () => [
  [1, "voice", "string"],
  [2, "withClips", "bool"],
]);

export const ExportVoiceResponse = message("kani_npc.v1.ExportVoiceResponse", () => [
  [1, "bundle", "bytes"],
  [2, "fileName", "string"],
]);

export const GetAccentRequest = message("kani_npc.v1.GetAccentRequest", () => [
  [1, "id", "string"],
]);

export const GetAccentResponse = message("kani_npc.v1.GetAccentResponse", () => [
  [1, "accent", Accent],
]);

export const GetLexiconRequest = message("kani_npc.v1.GetLexiconRequest", () => [
  [1, "id", "string"],
]);

export const GetLexiconResponse = message("kani_npc.v1.GetLexiconResponse", () => [
  [1, "lexicon", Lexicon],
]);

export const GetNpcRequest = message("kani_npc.v1.GetNpcRequest", () => [
  [1, "id", "string"],
]);

export const GetNpcResponse = message("kani_npc.v1.GetNpcResponse", () => [
  [1, "npc", Npc],
]);

export const GetServerInfoRequest = message("kani_npc.v1.GetServerInfoRequest", () => [
]);

export const GetServerInfoResponse = message("kani_npc.v1.GetServerInfoResponse", () => [
  [1, "version", "string"],
  [2, "model", ModelInfo],
  [3, "voices", repeated(VoiceInfo)],
  [4, "defaultVoice", "string"],
  [5, "accents", repeated(AccentInfo)],
  [6, "defaultAccent", "string"],
  [7, "encodings", repeated(AudioEncoding)],
  [8, "sampleRatesHz", repeated("int32")],
  [9, "capacity", Capacity],
  [10, "reproducible", "bool"],
]);

export const GetVoiceRequest = message("kani_npc.v1.GetVoiceRequest", () => [
  [1, "id", "string"],
]);

export const GetVoiceResponse = message("kani_npc.v1.GetVoiceResponse", () => [
  [1, "voice", Voice],
]);

export const GetVoiceRevisionRequest = message("kani_npc.v1.GetVoiceRevisionRequest", () => [
  [1, "id", "string"],
  [2, "revision", "int32"],
]);

export const GetVoiceRevisionResponse = message("kani_npc.v1.GetVoiceRevisionResponse", () => [
  [1, "voice", Voice],
]);

export const ImportVoiceRequest = message("kani_npc.v1.ImportVoiceRequest", () => [
  [1, "bundle", "bytes"],
  [2, "id", "string"],
  [3, "consent", Consent],
  [4, "space", "string"],
  [5, "requestId", "string"],
  [6, "revise", "bool"],
  [7, "etag", "string"],
]);

export const ImportVoiceResponse = message("kani_npc.v1.ImportVoiceResponse", () => [
  [1, "voice", Voice],
]);

export const InterruptRequest = message("kani_npc.v1.InterruptRequest", () => [
  [1, "npc", "string", "target"],
  [2, "utteranceId", "string", "target"],
]);

export const InterruptResponse = message("kani_npc.v1.InterruptResponse", () => [
  [1, "lines", repeated(InterruptedLine)],
]);

export const InterruptedLine = message("kani_npc.v1.InterruptedLine", () => [
  [1, "utteranceId", "string"],
  [2, "samplesSent", "int64"],
  [3, "sampleRateHz", "int32"],
]);

export const Lexicon = message("kani_npc.v1.Lexicon", () => [
  [1, "id", "string"],
  [2, "displayName", "string"],
  [3, "labels", map("string", "string")],
  [4, "etag", "string"],
  [5, "revision", "int32"],
  [6, "createTime", Timestamp],
  [7, "updateTime", Timestamp],
  [8, "entries", map("string", "string")],
]);

export const ListAccentsRequest = message("kani_npc.v1.ListAccentsRequest", () => [
  [1, "pageSize", "int32"],
  [2, "pageToken", "string"],
]);

export const ListAccentsResponse = message("kani_npc.v1.ListAccentsResponse", () => [
  [1, "accents", repeated(Accent)],
  [2, "nextPageToken", "string"],
]);

export const ListLexiconRevisionsRequest = message("kani_npc.v1.ListLexiconRevisionsRequest", () => [
  [1, "id", "string"],
  [2, "pageSize", "int32"],
  [3, "pageToken", "string"],
]);

export const ListLexiconRevisionsResponse = message("kani_npc.v1.ListLexiconRevisionsResponse", () => [
  [1, "lexicons", repeated(Lexicon)],
  [2, "nextPageToken", "string"],
]);

export const ListLexiconsRequest = message("kani_npc.v1.ListLexiconsRequest", () => [
  [1, "pageSize", "int32"],
  [2, "pageToken", "string"],
]);

export const ListLexiconsResponse = message("kani_npc.v1.ListLexiconsResponse", () => [
  [1, "lexicons", repeated(Lexicon)],
  [2, "nextPageToken", "string"],
]);

export const ListNpcsRequest = message("kani_npc.v1.ListNpcsRequest", () => [
  [1, "pageSize", "int32"],
  [2, "pageToken", "string"],
]);

export const ListNpcsResponse = message("kani_npc.v1.ListNpcsResponse", () => [
  [1, "npcs", repeated(Npc)],
  [2, "nextPageToken", "string"],
]);

export const ListVoiceRevisionsRequest = message("kani_npc.v1.ListVoiceRevisionsRequest", () => [
  [1, "id", "string"],
  [2, "pageSize", "int32"],
  [3, "pageToken", "string"],
]);

export const ListVoiceRevisionsResponse = message("kani_npc.v1.ListVoiceRevisionsResponse", () => [
  [1, "voices", repeated(Voice)],
  [2, "nextPageToken", "string"],
]);

export const ListVoicesRequest = message("kani_npc.v1.ListVoicesRequest", () => [
  [1, "pageSize", "int32"],
  [2, "pageToken", "string"],
]);

export const ListVoicesResponse = message("kani_npc.v1.ListVoicesResponse", () => [
  [1, "voices", repeated(Voice)],
  [2, "nextPageToken", "string"],
]);

export const ModelInfo = message("kani_npc.v1.ModelInfo", () => [
  [1, "name", "string"],
  [2, "licence", "string"],
  [3, "sampleRateHz", "int32"],
  [4, "samplesPerFrame", "int32"],
  [5, "speakerSpace", "string"],
  [6, "languages", repeated("string")],
  [7, "sampling", Sampling],
  [8, "samplerVersion", "string"],
  [9, "assumedDefaults", repeated("string")],
]);

export const Npc = message("kani_npc.v1.Npc", () => [
  [1, "id", "string"],
  [2, "displayName", "string"],
  [3, "labels", map("string", "string")],
  [4, "etag", "string"],
  [5, "revision", "int32"],
  [6, "createTime", Timestamp],
  [7, "updateTime", Timestamp],
  [8, "voice", "string"],
  [9, "accent", "string"],
  [10, "lexicon", "string"],
  [11, "delivery", Delivery],
  [12, "sampling", Sampling],
  [13, "seedPolicy", SeedPolicy],
  [14, "seed", "int64", "_seed"],
]);

export const PrewarmRequest = message("kani_npc.v1.PrewarmRequest", () => [
  [1, "lines", repeated(SynthesizeRequest)],
]);

export const PrewarmResponse = message("kani_npc.v1.PrewarmResponse", () => [
  [1, "line", "int32"],
  [2, "outcome", PrewarmOutcome],
  [3, "totalSamples", "int64"],
  [4, "reason", "string"],
  [5, "message", "string"],
]);

export const ReembedVoiceRequest = message("kani_npc.v1.ReembedVoiceRequest", () => [
  [1, "id", "string"],
  [2, "etag", "string"],
]);

export const ReembedVoiceResponse = message("kani_npc.v1.ReembedVoiceResponse", () => [
  [1, "voice", Voice],
]);

export const RevokeConsentRequest = message("kani_npc.v1.RevokeConsentRequest", () => [
  [1, "id", "string"],
  [2, "etag", "string"],
]);

export const RevokeConsentResponse = message("kani_npc.v1.RevokeConsentResponse", () => [
  [1, "voice", Voice],
]);

export const RollBackLexiconRequest = message("kani_npc.v1.RollBackLexiconRequest", () => [
  [1, "id", "string"],
  [2, "revision", "int32"],
  [3, "etag", "string"],
]);

export const RollBackLexiconResponse = message("kani_npc.v1.RollBackLexiconResponse", () => [
  [1, "lexicon", Lexicon],
]);

export const RollBackVoiceRequest = message("kani_npc.v1.RollBackVoiceRequest", () => [
  [1, "id", "string"],
  [2, "revision", "int32"],
  [3, "etag", "string"],
]);

export const RollBackVoiceResponse = message("kani_npc.v1.RollBackVoiceResponse", () => [
  [1, "voice", Voice],
]);

export const Sampling = message("kani_npc.v1.Sampling", () => [
  [1, "temperature", "double", "_temperature"],
  [2, "topK", "int32", "_top_k"],
  [3, "topP", "double", "_top_p"],
  [4, "repetitionPenalty", "double", "_repetition_penalty"],
  [5, "greedy", "bool", "_greedy"],
  [6, "minFrames", "int32", "_min_frames"],
  [7, "maxFrames", "int32", "_max_frames"],
]);

export const SpeechAudio = message("kani_npc.v1.SpeechAudio", () => [
  [1, "data", "bytes"],
  [2, "firstSample", "int64"],
]);

export const SpeechEnd = message("kani_npc.v1.SpeechEnd", () => [
  [1, "finishReason", FinishReason],
  [2, "totalSamples", "int64"],
  [3, "elapsedMs", "double"],
  [4, "computeMs", "double"],
  [5, "queuedMs", "double"],
  [6, "firstAudioMs", "double"],
  [7, "cacheHit", "bool"],
  [8, "attempts", "int32"],
]);

export const SpeechHeader = message("kani_npc.v1.SpeechHeader", () => [
  [1, "utteranceId", "string"],
  [2, "encoding", AudioEncoding],
  [3, "sampleRateHz", "int32"],
  [4, "voice", "string"],
  [5, "voiceRevision", "int32"],
  [6, "accent", "string"],
  [7, "model", "string"],
  [8, "seed", "int64"],
  [9, "synthetic", "bool"],
  [10, "samplerVersion", "string"],
  [11, "recommendedPrebufferMs", "int32"],
  [12, "npc", "string"],
]);

export const SpeechTiming = message("kani_npc.v1.SpeechTiming", () => [
  [1, "firstSample", "int64"],
  [2, "hopSamples", "int32"],
  [3, "weights", repeated("float")],
  [4, "openness", repeated("float")],
]);

export const StreamingSynthesizeRequest = message("kani_npc.v1.StreamingSynthesizeRequest", () => [
  [1, "config", SynthesizeRequest, "request"],
  [2, "piece", TextPiece, "request"],
]);

export const StreamingSynthesizeResponse = message("kani_npc.v1.StreamingSynthesizeResponse", () => [
  [1, "header", SpeechHeader, "event"],
  [2, "audio", SpeechAudio, "event"],
  [3, "end", SpeechEnd, "event"],
  [4, "timing", SpeechTiming, "event"],
]);

export const SynthesizeRequest = message("kani_npc.v1.SynthesizeRequest", () => [
  [1, "npc", "string"],
  [2, "text", "string"],
  [3, "voice", "string"],
  [4, "accent", "string"],
  [5, "audio", AudioFormat],
  [6, "sampling", Sampling],
  [7, "seed", "int64", "_seed"],
  [8, "vary", "bool"],
  [9, "priority", Priority],
  [10, "pace", Pace],
  [11, "startWithinMs", "int32"],
  [12, "turn", "int64"],
  [13, "openText", "bool"],
  [14, "holdUntilChecked", "bool"],
  [15, "visemes", "bool"],
]);

export const SynthesizeResponse = message("kani_npc.v1.SynthesizeResponse", () => [
  [1, "header", SpeechHeader, "event"],
  [2, "audio", SpeechAudio, "event"],
  [3, "end", SpeechEnd, "event"],
  [4, "timing", SpeechTiming, "event"],
]);

export const TextPiece = message("kani_npc.v1.TextPiece", () => [
  [1, "text", "string"],
  [2, "flush", "bool"],
  [3, "close", "bool"],
]);

export const UpdateAccentRequest = message("kani_npc.v1.UpdateAccentRequest", () => [
  [1, "accent", Accent],
  [2, "updateMask", FieldMask],
]);

export const UpdateAccentResponse = message("kani_npc.v1.UpdateAccentResponse", () => [
  [1, "accent", Accent],
]);

export const UpdateLexiconRequest = message("kani_npc.v1.UpdateLexiconRequest", () => [
  [1, "lexicon", Lexicon],
  [2, "updateMask", FieldMask],
]);

export const UpdateLexiconResponse = message("kani_npc.v1.UpdateLexiconResponse", () => [
  [1, "lexicon", Lexicon],
]);

export const UpdateNpcRequest = message("kani_npc.v1.UpdateNpcRequest", () => [
  [1, "npc", Npc],
  [2, "updateMask", FieldMask],
]);

export const UpdateNpcResponse = message("kani_npc.v1.UpdateNpcResponse", () => [
  [1, "npc", Npc],
]);

export const UpdateVoiceRequest = message("kani_npc.v1.UpdateVoiceRequest", () => [
  [1, "voice", Voice],
  [2, "updateMask", FieldMask],
]);

export const UpdateVoiceResponse = message("kani_npc.v1.UpdateVoiceResponse", () => [
  [1, "voice", Voice],
]);

export const Voice = message("kani_npc.v1.Voice", () => [
  [1, "id", "string"],
  [2, "displayName", "string"],
  [3, "labels", map("string", "string")],
  [4, "etag", "string"],
  [5, "revision", "int32"],
  [6, "createTime", Timestamp],
  [7, "updateTime", Timestamp],
  [8, "source", VoiceSource],
  [9, "embedding", Embedding],
  [10, "tag", "string"],
  [11, "licence", "string"],
  [12, "consent", Consent],
  [13, "parents", repeated(BlendShare)],
  [14, "numClips", "int32"],
  [15, "contentHash", "string"],
  [16, "lora", "string"],
  [17, "codecDelta", "string"],
  [18, "report", "string"],
]);

export const VoiceInfo = message("kani_npc.v1.VoiceInfo", () => [
  [1, "id", "string"],
  [2, "displayName", "string"],
  [3, "accent", "string"],
  [4, "licence", "string"],
  [5, "revision", "int32"],
]);

export const AccentService = {
  createAccent: {
    path: "/kani_npc.v1.AccentService/CreateAccent",
    request: CreateAccentRequest,
    response: CreateAccentResponse,
    streams: false,
  },
  getAccent: {
    path: "/kani_npc.v1.AccentService/GetAccent",
    request: GetAccentRequest,
    response: GetAccentResponse,
    streams: false,
  },
  listAccents: {
    path: "/kani_npc.v1.AccentService/ListAccents",
    request: ListAccentsRequest,
    response: ListAccentsResponse,
    streams: false,
  },
  updateAccent: {
    path: "/kani_npc.v1.AccentService/UpdateAccent",
    request: UpdateAccentRequest,
    response: UpdateAccentResponse,
    streams: false,
  },
  deleteAccent: {
    path: "/kani_npc.v1.AccentService/DeleteAccent",
    request: DeleteAccentRequest,
    response: DeleteAccentResponse,
    streams: false,
  },
};

export const LexiconService = {
  createLexicon: {
    path: "/kani_npc.v1.LexiconService/CreateLexicon",
    request: CreateLexiconRequest,
    response: CreateLexiconResponse,
    streams: false,
  },
  getLexicon: {
    path: "/kani_npc.v1.LexiconService/GetLexicon",
    request: GetLexiconRequest,
    response: GetLexiconResponse,
    streams: false,
  },
  listLexicons: {
    path: "/kani_npc.v1.LexiconService/ListLexicons",
    request: ListLexiconsRequest,
    response: ListLexiconsResponse,
    streams: false,
  },
  updateLexicon: {
    path: "/kani_npc.v1.LexiconService/UpdateLexicon",
    request: UpdateLexiconRequest,
    response: UpdateLexiconResponse,
    streams: false,
  },
  deleteLexicon: {
    path: "/kani_npc.v1.LexiconService/DeleteLexicon",
    request: DeleteLexiconRequest,
    response: DeleteLexiconResponse,
    streams: false,
  },
  listLexiconRevisions: {
    path: "/kani_npc.v1.LexiconService/ListLexiconRevisions",
    request: ListLexiconRevisionsRequest,
    response: ListLexiconRevisionsResponse,
    streams: false,
  },
  rollBackLexicon: {
    path: "/kani_npc.v1.LexiconService/RollBackLexicon",
    request: RollBackLexiconRequest,
    response: RollBackLexiconResponse,
    streams: false,
  },
};

export const NpcService = {
  createNpc: {
    path: "/kani_npc.v1.NpcService/CreateNpc",
    request: CreateNpcRequest,
    response: CreateNpcResponse,
    streams: false,
  },
  getNpc: {
    path: "/kani_npc.v1.NpcService/GetNpc",
    request: GetNpcRequest,
    response: GetNpcResponse,
    streams: false,
  },
  listNpcs: {
    path: "/kani_npc.v1.NpcService/ListNpcs",
    request: ListNpcsRequest,
    response: ListNpcsResponse,
    streams: false,
  },
  updateNpc: {
    path: "/kani_npc.v1.NpcService/UpdateNpc",
    request: UpdateNpcRequest,
    response: UpdateNpcResponse,
    streams: false,
  },
  deleteNpc: {
    path: "/kani_npc.v1.NpcService/DeleteNpc",
    request: DeleteNpcRequest,
    response: DeleteNpcResponse,
    streams: false,
  },
};

export const SpeechService = {
  synthesize: {
    path: "/kani_npc.v1.SpeechService/Synthesize",
    request: SynthesizeRequest,
    response: SynthesizeResponse,
    streams: true,
  },
  appendText: {
    path: "/kani_npc.v1.SpeechService/AppendText",
    request: AppendTextRequest,
    response: AppendTextResponse,
    streams: false,
  },
  interrupt: {
    path: "/kani_npc.v1.SpeechService/Interrupt",
    request: InterruptRequest,
    response: InterruptResponse,
    streams: false,
  },
  prewarm: {
    path: "/kani_npc.v1.SpeechService/Prewarm",
    request: PrewarmRequest,
    response: PrewarmResponse,
    streams: true,
  },
  getServerInfo: {
    path: "/kani_npc.v1.SpeechService/GetServerInfo",
    request: GetServerInfoRequest,
    response: GetServerInfoResponse,
    streams: false,
  },
};

export const VoiceService = {
  createVoice: {
    path: "/kani_npc.v1.VoiceService/CreateVoice",
    request: CreateVoiceRequest,
    response: CreateVoiceResponse,
    streams: false,
  },
  getVoice: {
    path: "/kani_npc.v1.VoiceService/GetVoice",
    request: GetVoiceRequest,
    response: GetVoiceResponse,
    streams: false,
  },
  listVoices: {
    path: "/kani_npc.v1.VoiceService/ListVoices",
    request: ListVoicesRequest,
    response: ListVoicesResponse,
    streams: false,
  },
  updateVoice: {
    path: "/kani_npc.v1.VoiceService/UpdateVoice",
    request: UpdateVoiceRequest,
    response: UpdateVoiceResponse,
    streams: false,
  },
  deleteVoice: {
    path: "/kani_npc.v1.VoiceService/DeleteVoice",
    request: DeleteVoiceRequest,
    response: DeleteVoiceResponse,
    streams: false,
  },
  listVoiceRevisions: {
    path: "/kani_npc.v1.VoiceService/ListVoiceRevisions",
    request: ListVoiceRevisionsRequest,
    response: ListVoiceRevisionsResponse,
    streams: false,
  },
  getVoiceRevision: {
    path: "/kani_npc.v1.VoiceService/GetVoiceRevision",
    request: GetVoiceRevisionRequest,
    response: GetVoiceRevisionResponse,
    streams: false,
  },
  rollBackVoice: {
    path: "/kani_npc.v1.VoiceService/RollBackVoice",
    request: RollBackVoiceRequest,
    response: RollBackVoiceResponse,
    streams: false,
  },
  enrollVoice: {
    path: "/kani_npc.v1.VoiceService/EnrollVoice",
    request: EnrollVoiceRequest,
    response: EnrollVoiceResponse,
    streams: false,
  },
  blendVoices: {
    path: "/kani_npc.v1.VoiceService/BlendVoices",
    request: BlendVoicesRequest,
    response: BlendVoicesResponse,
    streams: false,
  },
  reembedVoice: {
    path: "/kani_npc.v1.VoiceService/ReembedVoice",
    request: ReembedVoiceRequest,
    response: ReembedVoiceResponse,
    streams: false,
  },
  exportVoice: {
    path: "/kani_npc.v1.VoiceService/ExportVoice",
    request: ExportVoiceRequest,
    response: ExportVoiceResponse,
    streams: false,
  },
  importVoice: {
    path: "/kani_npc.v1.VoiceService/ImportVoice",
    request: ImportVoiceRequest,
    response: ImportVoiceResponse,
    streams: false,
  },
  revokeConsent: {
    path: "/kani_npc.v1.VoiceService/RevokeConsent",
    request: RevokeConsentRequest,
    response: RevokeConsentResponse,
    streams: false,
  },
};
