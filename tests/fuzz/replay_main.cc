// Runs a fuzz target over every file of the folders named on the command line.
#include <iostream>
#include <string>

#include "common/base/file.h"
#include "tests/fuzz/fuzz_target.h"

int main(int argc, char** argv) {
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    const auto names = thinwire::ListDirectory(argv[i]);
    for (const std::string& name : names.value_or(std::vector<std::string>{})) {
      const auto bytes = thinwire::ReadWholeFile(thinwire::JoinPath(argv[i], name), 1 << 24);
      if (!bytes.ok()) {
        std::cerr << bytes.status() << "\n";
        return 1;
      }
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size());
      ++files;
    }
  }
  std::cout << files << " inputs\n";
  return files > 0 ? 0 : 1;  // a corpus that is not found must not pass
}
