// What every fuzz target has in common. With THINWIRE_FUZZ, libFuzzer calls the target with bytes of its own making;
// otherwise replay_main.cc calls it with every file of the corpus.
#ifndef THINWIRE_TESTS_FUZZ_FUZZ_TARGET_H_
#define THINWIRE_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace thinwire {

// Ends the process, so that the fuzzer keeps the input.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_FUZZ_FUZZ_TARGET_H_
