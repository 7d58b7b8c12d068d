// A fresh directory for one test, removed with all it holds.
#ifndef THINWIRE_TESTS_TESTING_TEMPORARY_DIRECTORY_H_
#define THINWIRE_TESTS_TESTING_TEMPORARY_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "gtest/gtest.h"

namespace thinwire {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(testing::TempDir() + "thinwire-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make a directory like " << path_;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_TESTING_TEMPORARY_DIRECTORY_H_
