// Writes small IDX files for tests.
#ifndef THINWIRE_TESTS_UNIT_TRAIN_IDX_TESTING_H_
#define THINWIRE_TESTS_UNIT_TRAIN_IDX_TESTING_H_

#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace thinwire {

inline std::string IdxBytes(const std::vector<uint32_t>& dimensions, const std::string& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dimensions.size())};
  for (const uint32_t size : dimensions) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(size >> shift));
  }
  return bytes + values;
}

// Values 0, 1, 2, ... modulo 256.
inline std::string Ramp(size_t count) {
  std::string values(count, '\0');
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<char>(i);
  return values;
}

inline std::string Gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string WriteTestFile(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/thinwire_train_", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_TRAIN_IDX_TESTING_H_
