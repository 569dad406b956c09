// Generated from google/rpc/status.proto. Do not edit: `make proto` writes it.
#pragma once

#include "kani/v1/any.h"
#include "kani/wire.h"

namespace kani {

// The `Status` type defines a logical error model that is suitable for
// different programming environments, including REST APIs and RPC APIs. It is
// used by [gRPC](https://github.com/grpc). Each `Status` message contains
// three pieces of data: error code, error message, and error details.
//
// You can find out more about this error model and how to work with it in the
// [API Design Guide](https://cloud.google.com/apis/design/errors).
struct KANI_API Status {
  // The status code, which should be an enum value of
  // [google.rpc.Code][google.rpc.Code].
  std::int32_t code = 0;
  // A developer-facing error message, which should be in English. Any
  // user-facing error message should be localized and sent in the
  // [google.rpc.Status.details][google.rpc.Status.details] field, or localized
  // by the client.
  std::string message;
  // A list of messages that carry the error details.  There is a common set of
  // message types for APIs to use.
  std::vector<Any> details;

  void WriteTo(WireWriter& output) const;
  // False where `input` is not such a message; what was read until then is kept.
  bool MergeFrom(WireReader& input);
};

}  // namespace kani
