// Generated from kani_npc/v1/speech_service.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/v1/audio.h"
#include "kani/v1/sampling.h"
#include "kani/wire.h"

namespace kani {

// Who is served first when not everybody can be.
enum class Priority : std::int32_t {
  // PRIORITY_DIALOGUE.
  kUnspecified = 0,
  // Background chatter.
  kAmbient = 1,
  // A short reaction.
  kBark = 2,
  // Somebody talks to the player.
  kDialogue = 3,
  // The player must hear this.
  kCritical = 4,
};

// How far the sound may run ahead of its listener.
enum class Pace : std::int32_t {
  // PACE_REALTIME.
  kUnspecified = 0,
  // Half a second at once, then never more than two seconds ahead of playback.
  kRealtime = 1,
  // As fast as it comes: files, tests, batches. Served after every line in real time.
  kUnpaced = 2,
};

// Why a line ended.
enum class FinishReason : std::int32_t {
  kUnspecified = 0,
  // The line was said.
  kEndOfSpeech = 1,
  // Cut by sampling.max_frames; the line may be incomplete.
  kMaxFrames = 2,
  // Somebody called Interrupt.
  kInterrupted = 3,
  // A newer turn of the same NPC took its place.
  kSuperseded = 4,
  // The watchdog cut it: the voice repeated itself, fell silent or would not end. The last frame fades out.
  kWatchdog = 5,
};

enum class PrewarmOutcome : std::int32_t {
  kUnspecified = 0,
  // It was made and is kept.
  kMade = 1,
  // It was there already.
  kCached = 2,
  // See `reason` and `message`. The others go on.
  kFailed = 3,
};

struct KANI_API SynthesizeRequest {
  // An NPC's id: its voice, accent, lexicon, delivery, sampling and seed policy, each of which a field below overrides.
  std::string npc;
  // What to say: plain text, up to 20,000 characters. Long text is spoken piece by piece, in one voice.
  std::string text;
  // A voice's `id`, or `id@revision`; empty is the NPC's, else the server's default voice.
  std::string voice;
  // An accent's id; empty is the NPC's, else the voice's own accent, else the server's default.
  std::string accent;
  std::optional<AudioFormat> audio;
  std::optional<Sampling> sampling;
  // 0 to 2^63 - 1. Not set, it is as the NPC's seed policy says, else derived from text, voice and accent, so that a line
  // always sounds the same.
  std::optional<std::int64_t> seed;
  // Draws a new seed, for a new take of the same line; the header says which. Excludes `seed`.
  bool vary = false;
  Priority priority = Priority(0);
  Pace pace = Pace(0);
  // Better silent than late: a line that has no place after so long ends with DEADLINE_EXCEEDED. 0 waits for ever.
  std::int32_t start_within_ms = 0;
  // Of a line of an NPC, above 0: it silences that NPC's lines of lower turns, and is itself SUPERSEDED at once if a
  // higher one was seen. 0 leaves others alone.
  std::int64_t turn = 0;
  // More text follows, through AppendText; the line ends when a piece of it says `close`.
  bool open_text = false;
  // No sound before the watchdog has heard the whole line; one that it would cut is made again, at most twice.
  bool hold_until_checked = false;
  // Sends SpeechTiming too.
  bool visemes = false;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// A fragment of text that is being written.
struct KANI_API TextPiece {
  // Any part of a word, a sentence or a page.
  std::string text;
  // Say what is there, though no clause has ended.
  bool flush = false;
  // Nothing follows.
  bool close = false;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API StreamingSynthesizeRequest {
  enum RequestCase {
    kRequestNone,
    // First, once. Its text, if there is any, is the first piece.
    kConfig,
    kPiece,
  };
  std::variant<std::monostate, SynthesizeRequest, TextPiece> request;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// The first event of every stream.
struct KANI_API SpeechHeader {
  // Names this utterance, in the server's log too.
  std::string utterance_id;
  AudioEncoding encoding = AudioEncoding(0);
  std::int32_t sample_rate_hz = 0;
  std::string voice;
  std::int32_t voice_revision = 0;
  // Empty where the model knows no accents.
  std::string accent;
  std::string model;
  // The same seed, text, voice, accent and sampling give the same speech.
  std::int64_t seed = 0;
  // Always true: this voice is not a recording.
  bool synthetic = false;
  // Which version of the draw `seed` feeds.
  std::string sampler_version;
  // So much sound should be in hand before playback starts, where this machine makes speech no faster than it is played;
  // 0 where sound can be played as it comes.
  std::int32_t recommended_prebuffer_ms = 0;
  // Empty where the line named none.
  std::string npc;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// A piece of the sound; never empty.
struct KANI_API SpeechAudio {
  std::string data;
  // Position of its first sample in the line, counted at the stream's sample rate. There are no gaps.
  std::int64_t first_sample = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// The last event of every line that was said. Times are in milliseconds.
struct KANI_API SpeechEnd {
  FinishReason finish_reason = FinishReason(0);
  // At the stream's sample rate.
  std::int64_t total_samples = 0;
  // From the request's arrival to this event; includes waiting for a listener in real time.
  double elapsed_ms = 0;
  // The engine's own time for this line.
  double compute_ms = 0;
  // Waiting for a free place.
  double queued_ms = 0;
  // From the request's arrival to the first audio; 0 if there was none.
  double first_audio_ms = 0;
  // The line was not generated but remembered.
  bool cache_hit = false;
  // How many takes were made; above 1 the watchdog threw one away before any of it was heard.
  std::int32_t attempts = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// What the mouth does, computed from the sound itself. Where a request sets `visemes`, it comes before the audio that it
// belongs to; positions are on the same clock, so a player applies it by the samples that were played.
struct KANI_API SpeechTiming {
  // Where the first hop begins. Hops follow each other without gaps, over all events of a line.
  std::int64_t first_sample = 0;
  // Samples of one hop: 20 ms.
  std::int32_t hop_samples = 0;
  // 15 a hop, hop after hop; each 0 to 1, and 1 together. In order: sil, PP, FF, TH, DD, kk, CH, SS, nn, RR, aa, E, ih, oh,
  // ou (silence; p b m; f v; th dh; t d; k g; ch jh sh zh; s z; n l; r; and the five vowels).
  std::vector<float> weights;
  // One a hop: 0 is a closed mouth, 1 an open one.
  std::vector<float> openness;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// The same events as of SynthesizeResponse.
struct KANI_API StreamingSynthesizeResponse {
  enum EventCase {
    kEventNone,
    kHeader,
    kAudio,
    kEnd,
    kTiming,
  };
  std::variant<std::monostate, SpeechHeader, SpeechAudio, SpeechEnd, SpeechTiming> event;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API AppendTextRequest {
  // SpeechHeader.utterance_id of a line that is open.
  std::string utterance_id;
  std::optional<TextPiece> piece;
  // 0 for the first piece, then one more each time. A piece that came before is not taken twice, so that a call can be
  // repeated; a gap is refused.
  std::int32_t sequence = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API AppendTextResponse {
  // The sequence number that is expected next.
  std::int32_t next_sequence = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API InterruptRequest {
  enum TargetCase {
    kTargetNone,
    // Every line of this NPC.
    kNpc,
    // SpeechHeader.utterance_id.
    kUtteranceId,
  };
  std::variant<std::monostate, std::string, std::string> target;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API InterruptedLine {
  std::string utterance_id;
  // So much had been sent, at the stream's sample rate; the listener may have played less.
  std::int64_t samples_sent = 0;
  std::int32_t sample_rate_hz = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API InterruptResponse {
  std::vector<InterruptedLine> lines;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API PrewarmRequest {
  // As they will be asked for. Pace, priority, audio format and turn do not matter to the cache.
  std::vector<SynthesizeRequest> lines;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API PrewarmResponse {
  // Index of the line in the request.
  std::int32_t line = 0;
  PrewarmOutcome outcome = PrewarmOutcome(0);
  // At the model's own rate.
  std::int64_t total_samples = 0;
  // As in google.rpc.ErrorInfo, where it failed.
  std::string reason;
  std::string message;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// Field number 5 is kept for notices. Clients skip events they do not know.
struct KANI_API SynthesizeResponse {
  enum EventCase {
    kEventNone,
    kHeader,
    kAudio,
    kEnd,
    kTiming,
  };
  std::variant<std::monostate, SpeechHeader, SpeechAudio, SpeechEnd, SpeechTiming> event;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetServerInfoRequest {
  // No fields yet.
  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API ModelInfo {
  std::string name;
  std::string licence;
  std::int32_t sample_rate_hz = 0;
  // 80 ms of sound: the unit in which speech is made.
  std::int32_t samples_per_frame = 0;
  // The speaker encoder whose embeddings this model takes; empty where it takes none.
  std::string speaker_space;
  // Language tags, as the model was trained.
  std::vector<std::string> languages;
  // What a request that sets nothing gets.
  std::optional<Sampling> sampling;
  std::string sampler_version;
  // Values that the model's files do not state and that were assumed.
  std::vector<std::string> assumed_defaults;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API VoiceInfo {
  std::string id;
  std::string display_name;
  // The accent it speaks when none is asked for.
  std::string accent;
  std::string licence;
  std::int32_t revision = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API AccentInfo {
  std::string id;
  // The language tag the model was trained with.
  std::string tag;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

// Utterances at once, in this process.
struct KANI_API Capacity {
  std::int32_t num_slots = 0;
  std::int32_t active = 0;
  std::int32_t waiting = 0;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct KANI_API GetServerInfoResponse {
  // Of the software.
  std::string version;
  std::optional<ModelInfo> model;
  // Those that came with the model; VoiceService.ListVoices has the project's too.
  std::vector<VoiceInfo> voices;
  std::string default_voice;
  // Those that came with the model; AccentService.ListAccents has the project's too.
  std::vector<AccentInfo> accents;
  // Empty where the model knows no accents.
  std::string default_accent;
  std::vector<AudioEncoding> encodings;
  // The model's own rate among them.
  std::vector<std::int32_t> sample_rates_hz;
  std::optional<Capacity> capacity;
  // Whether a line's samples are the same bits whoever else is speaking (`kani-npc serve --reproducible`).
  bool reproducible = false;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

struct SpeechService {
  // Says one line. The stream is one header, then audio, then exactly one end; without an end the line is not whole.
  // Cancelling the call, or its deadline, stops the voice within one frame of 80 ms. A line whose voice loses its consent
  // ends within a second with FAILED_PRECONDITION (reason CONSENT_REVOKED or CONSENT_EXPIRED); what was received of it
  // must not be played.
  static constexpr StreamingMethod<SynthesizeRequest, SynthesizeResponse> Synthesize{
      "/kani_npc.v1.SpeechService/Synthesize"};
  // Adds text to a line that `Synthesize` began with `open_text`, for clients that cannot stream to the server.
  static constexpr UnaryMethod<AppendTextRequest, AppendTextResponse> AppendText{
      "/kani_npc.v1.SpeechService/AppendText"};
  // Stops an NPC, or one line, from anywhere: the stream gets its end, with FINISH_REASON_INTERRUPTED, before the next
  // frame. Nobody speaking is not an error.
  static constexpr UnaryMethod<InterruptRequest, InterruptResponse> Interrupt{
      "/kani_npc.v1.SpeechService/Interrupt"};
  // Makes lines ahead of play, when nobody else needs the engine, and keeps them in the line cache. One answer a line, in
  // the order in which they are done. FAILED_PRECONDITION where this server keeps no cache.
  static constexpr StreamingMethod<PrewarmRequest, PrewarmResponse> Prewarm{
      "/kani_npc.v1.SpeechService/Prewarm"};
  // What this server speaks with: model, licence, voices, accents, formats, capacity.
  static constexpr UnaryMethod<GetServerInfoRequest, GetServerInfoResponse> GetServerInfo{
      "/kani_npc.v1.SpeechService/GetServerInfo"};
};

}  // namespace kani
