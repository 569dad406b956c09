// Reads `Type hex` lines, answers each with what the message is when it is written again, or BAD.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "registry.h"  // made by the test: every message's header, and KANI_MESSAGES(X)

namespace {

template <typename T>
bool Again(std::string_view data, std::string* out) {
  T message;
  if (!kani::Parse(data, &message)) return false;
  *out = kani::Serialize(message);
  return true;
}

bool Again(const std::string& type, std::string_view data, std::string* out) {
#define KANI_TRY(T) \
  if (type == #T) return Again<kani::T>(data, out);
  KANI_MESSAGES(KANI_TRY)
  std::fprintf(stderr, "no message %s\n", type.c_str());
  std::abort();
}

}  // namespace

int main() {
  std::string type, hex;
  while (std::cin >> type >> hex) {
    // Exactly as large as the message, so that a sanitizer sees a read behind its end.
    const std::size_t size = (hex.size() - 1) / 2;  // hex starts with '='
    const std::unique_ptr<char[]> data(new char[size]);
    for (std::size_t i = 0; i < size; ++i)
      data[i] = static_cast<char>(std::stoi(hex.substr(1 + 2 * i, 2), nullptr, 16));
    std::string again;
    if (!Again(type, {data.get(), size}, &again)) {
      std::puts("BAD");
      continue;
    }
    std::string line = "=";
    for (const char c : again) {
      char byte[3];
      std::snprintf(byte, sizeof byte, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      line += byte;
    }
    std::puts(line.c_str());
  }
}
