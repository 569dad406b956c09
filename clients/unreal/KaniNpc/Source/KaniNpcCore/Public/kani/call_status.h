// What a call ended with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "kani/wire.h"

namespace kani {

// gRPC's.
enum class StatusCode : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

struct KANI_API CallStatus {
  StatusCode code = StatusCode::kOk;
  std::string message;
  // The service's own name of what happened ("VOICE_NOT_FOUND"); empty where it gave none.
  std::string reason;
  // The field of the request that is at fault; empty where none is.
  std::string field;
  // When to try again, where the service said so.
  std::optional<double> retry_after_s;
  // What else the service said: `etag` is the current one.
  std::map<std::string, std::string> metadata;

  bool ok() const { return code == StatusCode::kOk; }
  // The same call may go well a little later.
  bool MayRetry() const {
    return code == StatusCode::kUnavailable || code == StatusCode::kResourceExhausted;
  }
};

// Names in lower case.
using Headers = std::map<std::string, std::string>;

// What `grpc-status` and its companions say. Unknown where there is no status among them.
KANI_API CallStatus StatusFrom(const Headers& trailers);

// What gRPC makes of an HTTP status that comes without one of its own.
KANI_API CallStatus StatusFromHttp(int http_status);

// One `Name: value` line into `headers`; others are left alone.
KANI_API void AddHeaderLine(std::string_view line, Headers* headers);

}  // namespace kani
