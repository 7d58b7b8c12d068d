// Memory of another process, as the kernel counts it.
#ifndef THINWIRE_TESTS_TESTING_PROCESS_MEMORY_H_
#define THINWIRE_TESTS_TESTING_PROCESS_MEMORY_H_

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace thinwire {

// Freed memory that AddressSanitizer keeps, so that its use is found.
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSanitizerMemory = uint64_t{256} << 20;
#else
constexpr uint64_t kSanitizerMemory = 0;
#endif

// Bytes resident at the peak since the process began (VmHWM); 0 if there is no such process.
inline uint64_t PeakMemory(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(status, line);) {
    unsigned long kilobytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %lu kB", &kilobytes) == 1) return uint64_t{kilobytes} * 1024;
  }
  return 0;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_TESTING_PROCESS_MEMORY_H_
