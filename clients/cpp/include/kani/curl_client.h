// Calls to a kani-npc server by libcurl: gRPC-Web over HTTP/1.1, or native gRPC over HTTP/2.
//
// Calls block: each on a thread of its caller's. Without exceptions and RTTI, as the core below it.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "kani/speech_line.h"

namespace kani {

enum class Wire {
  kGrpcWeb,  // the server's web port
  kGrpc,     // its gRPC port, without TLS
};

struct ClientOptions {
  std::string address = "http://127.0.0.1:8051";
  Wire wire = Wire::kGrpcWeb;
  std::string project;  // whose NPCs and voices are meant; empty is the server's default
  std::string token;    // goes as `authorization: Bearer ...`
};

struct CallOptions {
  double timeout_s = 0;      // from the call to its end, of which the server is told; 0 is for ever
  double max_silence_s = 0;  // without a byte from the server while one is waited for; 0 is for ever
};

// One server. Many calls at once, each on its own thread; HTTP/1.1 connections are kept for the next.
class CurlClient {
 public:
  explicit CurlClient(ClientOptions options);
  ~CurlClient();
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  template <typename Request, typename Response>
  CallStatus Call(const UnaryMethod<Request, Response>& method, const Request& request, Response* response,
                  const CallOptions& options = {}, const std::atomic<bool>* stop = nullptr) {
    int messages = 0;
    bool is_read = false;
    CallStatus status = Run(
        method.path, Frame(request), options, stop, [&](std::string_view data) {
          is_read = ++messages == 1 && Parse(data, response);
          return is_read;
        });
    if ((status.ok() && messages == 0) || (messages > 0 && !is_read)) {
      status = {};
      status.code = StatusCode::kInternal;
      status.message = "not one answer to a call with one";
    }
    return status;
  }

  // `on_response` returns whether it wants more; the call is CANCELLED where it does not.
  template <typename Request, typename Response>
  CallStatus Call(const StreamingMethod<Request, Response>& method, const Request& request,
                  const std::function<bool(const Response&)>& on_response, const CallOptions& options = {},
                  const std::atomic<bool>* stop = nullptr) {
    return Run(method.path, Frame(request), options, stop, [&](std::string_view data) {
      Response response;
      return Parse(data, &response) && on_response(response);
    });
  }

  // Says a line into `line`, which says how it went; returns when all was received, or `line` was stopped. What found no
  // room, or no server, is tried again while nothing of it was heard. A listener that does not play slows the server.
  void Speak(const SynthesizeRequest& request, SpeechLine* line, const CallOptions& options = {});

 private:
  struct Exchange;
  using OnBody = std::function<bool(std::string_view)>;

  CallStatus Run(const char* path, std::string body, const CallOptions& options, const std::atomic<bool>* stop,
                 const std::function<bool(std::string_view)>& on_message);
  CallStatus Perform(const char* path, const std::string& body, const CallOptions& options, Exchange* exchange);
  void* TakeMulti();

  const ClientOptions options_;
  std::mutex lock_;
  std::vector<void*> idle_;  // curl's multi handles, with the connections they keep
};

}  // namespace kani
