#include "kani/call_status.h"

#include "kani/v1/error_details.h"
#include "kani/v1/status.h"

namespace kani {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Percent signs that escape nothing stay.
std::string Unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
    out.push_back(low >= 0 ? static_cast<char>(high << 4 | low) : text[i]);
    if (low >= 0) i += 2;
  }
  return out;
}

// With or without padding; empty where it is no base64.
std::string FromBase64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    std::uint32_t value;
    if (c >= 'A' && c <= 'Z') value = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z') value = static_cast<std::uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9') value = static_cast<std::uint32_t>(c - '0' + 52);
    else if (c == '+') value = 62;
    else if (c == '/') value = 63;
    else if (c == '=') break;
    else return {};
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xFF));
    }
  }
  return out;
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

void AddDetails(std::string_view data, CallStatus* status) {
  Status details;
  if (!Parse(data, &details)) return;
  for (const Any& detail : details.details) {
    if (EndsWith(detail.type_url, "/google.rpc.ErrorInfo")) {
      ErrorInfo info;
      if (!Parse(detail.value, &info)) continue;
      status->reason = info.reason;
      status->metadata = info.metadata;
    } else if (EndsWith(detail.type_url, "/google.rpc.BadRequest")) {
      BadRequest bad;
      if (Parse(detail.value, &bad) && !bad.field_violations.empty())
        status->field = bad.field_violations[0].field;
    } else if (EndsWith(detail.type_url, "/google.rpc.RetryInfo")) {
      RetryInfo retry;
      if (Parse(detail.value, &retry) && retry.retry_delay)
        status->retry_after_s = static_cast<double>(retry.retry_delay->seconds) + retry.retry_delay->nanos / 1e9;
    }
  }
}

std::string_view Find(const Headers& headers, const char* name) {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace

CallStatus StatusFrom(const Headers& trailers) {
  CallStatus status;
  int code = -1;
  for (const char c : Find(trailers, "grpc-status")) {
    if (c < '0' || c > '9' || code > 99) {
      code = -1;
      break;
    }
    code = (code < 0 ? 0 : code * 10) + (c - '0');
  }
  if (code < 0) {
    status.code = StatusCode::kUnknown;
    status.message = "the server ended the call without a status";
    return status;
  }
  status.code = code <= 16 ? static_cast<StatusCode>(code) : StatusCode::kUnknown;
  if (status.ok()) return status;
  status.message = Unescaped(Find(trailers, "grpc-message"));
  AddDetails(FromBase64(Find(trailers, "grpc-status-details-bin")), &status);
  return status;
}

CallStatus StatusFromHttp(int http_status) {
  CallStatus status;
  switch (http_status) {
    case 400: status.code = StatusCode::kInternal; break;
    case 401: status.code = StatusCode::kUnauthenticated; break;
    case 403: status.code = StatusCode::kPermissionDenied; break;
    case 404: status.code = StatusCode::kUnimplemented; break;
    case 429:
    case 502:
    case 503:
    case 504: status.code = StatusCode::kUnavailable; break;
    default: status.code = StatusCode::kUnknown;
  }
  status.message = "HTTP " + std::to_string(http_status) + " is no answer of kani-npc";
  return status;
}

void AddHeaderLine(std::string_view line, Headers* headers) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return;
  std::string name(line.substr(0, colon));
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' ')) value.remove_suffix(1);
  (*headers)[std::move(name)] = std::string(value);
}

}  // namespace kani
