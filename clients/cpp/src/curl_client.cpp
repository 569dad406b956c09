#include "kani/curl_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

#include "kani/backoff.h"

namespace kani {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxTries = 4;
constexpr int kPollMs = 20;  // how soon a stop is seen
constexpr double kMostBacklogS = 1.0;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

CallStatus Failed(StatusCode code, std::string message) {
  CallStatus status;
  status.code = code;
  status.message = std::move(message);
  return status;
}

void InitialiseOnce() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)done;
}

}  // namespace

// One HTTP exchange, as libcurl's callbacks see it.
struct CurlClient::Exchange {
  OnBody on_body;
  std::function<bool()> is_stopped = [] { return false; };
  std::function<bool()> is_full = [] { return false; };
  Headers headers;
  long http_status = 0;
  bool is_unwanted = false;
  bool is_paused = false;
  Clock::time_point heard = Clock::now();

  static std::size_t Body(char* data, std::size_t size, std::size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    exchange->heard = Clock::now();
    if (exchange->is_full()) {
      exchange->is_paused = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    exchange->is_unwanted = !exchange->on_body({data, size * count});
    return exchange->is_unwanted ? 0 : size * count;
  }

  static std::size_t Header(char* data, std::size_t size, std::size_t count, void* self) {
    // Over HTTP/2 the trailers come here too.
    AddHeaderLine({data, size * count}, &static_cast<Exchange*>(self)->headers);
    return size * count;
  }
};

CurlClient::CurlClient(ClientOptions options) : options_(std::move(options)) { InitialiseOnce(); }

CurlClient::~CurlClient() {
  for (void* multi : idle_) curl_multi_cleanup(multi);
}

void* CurlClient::TakeMulti() {
  const std::lock_guard<std::mutex> lock(lock_);
  if (idle_.empty()) return curl_multi_init();
  void* multi = idle_.back();
  idle_.pop_back();
  return multi;
}

CallStatus CurlClient::Perform(const char* path, const std::string& body, const CallOptions& options, Exchange* exchange) {
  const bool is_web = options_.wire == Wire::kGrpcWeb;
  curl_slist* headers = nullptr;
  const auto add = [&headers](const std::string& line) { headers = curl_slist_append(headers, line.c_str()); };
  add(is_web ? "content-type: application/grpc-web+proto" : "content-type: application/grpc");
  add(is_web ? "x-grpc-web: 1" : "te: trailers");
  add("expect:");
  if (options.timeout_s > 0)  // at most eight digits
    add("grpc-timeout: " + std::to_string(std::llround(std::clamp(options.timeout_s * 1000, 1.0, 99999999.0))) + "m");
  if (!options_.project.empty()) add("kani-project: " + options_.project);
  if (!options_.token.empty()) add("authorization: Bearer " + options_.token);

  CURL* easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, (options_.address + path).c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   is_web ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
  // libcurl 7.88 fails a second call on a kept connection of HTTP/2 without TLS ("Error in the HTTP2 framing layer").
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, is_web ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::Body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Exchange::Header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);

  const Clock::time_point start = exchange->heard = Clock::now();
  CURLM* multi = TakeMulti();
  curl_multi_add_handle(multi, easy);
  CallStatus status;
  CURLcode result = CURLE_OK;
  bool is_done = false;
  while (!is_done && status.ok()) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) {
        is_done = true;
        result = message->data.result;
      }
    }
    if (is_done) break;
    if (exchange->is_stopped()) {
      status = Failed(StatusCode::kCancelled, "stopped");
    } else if (options.timeout_s > 0 && SecondsSince(start) > options.timeout_s) {
      status = Failed(StatusCode::kDeadlineExceeded, "the deadline passed");
    } else if (exchange->is_paused) {
      exchange->heard = Clock::now();
      if (!exchange->is_full()) {
        exchange->is_paused = false;
        curl_easy_pause(easy, CURLPAUSE_CONT);
      }
    } else if (options.max_silence_s > 0 && SecondsSince(exchange->heard) > options.max_silence_s) {
      status = Failed(StatusCode::kUnavailable, "the server fell silent");
    }
    if (status.ok()) curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr);
  }
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &exchange->http_status);
  // A handle that is taken out in the middle of its transfer closes its connection: so the server hears of it.
  curl_multi_remove_handle(multi, easy);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  {
    const std::lock_guard<std::mutex> lock(lock_);
    idle_.push_back(multi);
  }
  if (!status.ok()) return status;
  if (exchange->is_unwanted) return Failed(StatusCode::kCancelled, "no more is wanted");
  if (result != CURLE_OK) return Failed(StatusCode::kUnavailable, std::string("no connection: ") + curl_easy_strerror(result));
  if (exchange->http_status != 200 && exchange->headers.count("grpc-status") == 0)
    return StatusFromHttp(static_cast<int>(exchange->http_status));
  return status;
}

CallStatus CurlClient::Run(const char* path, std::string body, const CallOptions& options,
                           const std::atomic<bool>* stop, const std::function<bool(std::string_view)>& on_message) {
  FrameReader frames;
  Exchange exchange;
  exchange.on_body = [&](std::string_view data) {
    frames.Push(data);
    std::string_view message;
    while (frames.Next(&message))
      if (!on_message(message)) return false;
    return !frames.is_broken();
  };
  if (stop != nullptr) exchange.is_stopped = [stop] { return stop->load(); };
  const CallStatus status = Perform(path, body, options, &exchange);
  if (frames.is_broken()) return Failed(StatusCode::kInternal, "the answer is not gRPC");
  if (!status.ok()) return status;
  if (frames.trailers() == nullptr && exchange.headers.count("grpc-status") == 0)
    return Failed(StatusCode::kUnavailable, "the connection ended in the middle");
  return StatusFrom(frames.trailers() ? *frames.trailers() : exchange.headers);
}

void CurlClient::Speak(const SynthesizeRequest& request, SpeechLine* line, const CallOptions& options) {
  const std::string body = Frame(request);
  const Clock::time_point start = Clock::now();
  Backoff backoff(static_cast<std::uint32_t>(start.time_since_epoch().count()));
  SpeechPlayer& player = line->player();
  for (int tries = 1;; ++tries) {
    Exchange exchange;
    exchange.on_body = [line](std::string_view data) { return line->Receive(data); };
    exchange.is_stopped = [line] { return line->is_stopped(); };
    exchange.is_full = [&player] {
      player.Pump();
      return static_cast<double>(player.backlog()) > kMostBacklogS * player.sample_rate_hz() && player.backlog() > 0;
    };
    CallOptions left = options;
    if (options.timeout_s > 0) left.timeout_s = std::max(0.001, options.timeout_s - SecondsSince(start));
    const CallStatus transport = Perform(SpeechService::Synthesize.path, body, left, &exchange);
    const CallStatus status = line->Judge(transport, exchange.headers);
    const double wait_s = backoff.NextSeconds(status.retry_after_s);
    const bool is_late = options.timeout_s > 0 && SecondsSince(start) + wait_s >= options.timeout_s;
    if (line->is_begun() || line->is_stopped() || !status.MayRetry() || tries == kMaxTries || is_late)
      return line->Finish(transport, exchange.headers);
    const Clock::time_point again = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(wait_s));
    while (Clock::now() < again && !line->is_stopped()) std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
    line->Restart();
  }
}

}  // namespace kani
