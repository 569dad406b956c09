// Runs the check that the test names: `program Name argument...`.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

inline char** g_arguments;

struct Checks {
  const char* name;
  void (*run)();
  Checks* next;
};
inline Checks* g_checks;

struct Register {
  Checks entry;
  Register(const char* name, void (*run)()) : entry{name, run, g_checks} { g_checks = &entry; }
};

#define CHECK_NAMED(name)                        \
  static void name();                            \
  static Register g_register_##name(#name, &name); \
  static void name()

#define REQUIRE(condition)                                                       \
  do {                                                                           \
    if (!(condition)) {                                                          \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                              \
    }                                                                            \
  } while (false)

// Generous: a busy machine is no failure.
template <typename Condition>
bool Soon(Condition condition) {
  for (int i = 0; i < 15000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return condition();
}

int main(int argc, char** argv) {
  g_arguments = argv + 2;
  for (Checks* check = g_checks; argc > 1 && check != nullptr; check = check->next) {
    if (std::strcmp(check->name, argv[1]) != 0) continue;
    check->run();
    return 0;
  }
  std::fprintf(stderr, "no such check\n");
  return 2;
}
