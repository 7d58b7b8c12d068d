// Golden bytes: today's encoder writes what is on record, today's decoder reads it as it did, on every machine.
// `golden_update_test --rewrite` records anew; if a line's bytes stayed but its values did not, or "vector, step 1"
// changed, that was the format, and the version in update_stream.h must change, too.
#include <cstring>
#include <iostream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

const char kPath[] = THINWIRE_SOURCE_DIR "/tests/golden/rdu/updates.txt";

std::string ValuesDigest(const std::vector<std::vector<float>>& tensors) {
  std::string bytes;
  for (const auto& values : tensors) {
    for (const float v : values) AppendLittle(FloatBits(v), &bytes);
  }
  return Sha256(bytes).Hex();
}

// Bytes, their SHA-256, and that of the values that they decode to.
std::string Line(const std::string& name, const TestUpdate& update, const std::string& bytes) {
  return absl::StrCat(name, ": ", bytes.size(), " bytes ", Sha256(bytes).Hex(), "\n  values ",
                      ValuesDigest(*Decode(bytes, update.shapes)), "\n  ",
                      absl::BytesToHexString(absl::string_view(bytes).substr(0, 48)), "\n");
}

std::string Today() {
  std::string text;
  const TestUpdate network = NetworkUpdate(77);
  for (const uint64_t bits : {200u, 1000u, 5000u, 50000u}) {
    absl::StrAppend(&text, Line(absl::StrCat("network, ", bits, " bits"), network,
                                *EncodeUpdate(network.Tensors(), bits, nullptr)));
  }
  for (const double exponent : {1.0, 2.0, 4.0}) {
    absl::StrAppend(&text, Line(absl::StrCat("network, M = ", exponent, ", 5000 bits"), network,
                                *EncodeUpdate(network.Tensors(), 5000, nullptr, {UpdateProfile::kBest, exponent})));
  }
  for (const uint64_t bits : {5000u, 50000u}) {
    absl::StrAppend(&text, Line(absl::StrCat("network, fast, ", bits, " bits"), network,
                                *EncodeUpdate(network.Tensors(), bits, nullptr, {UpdateProfile::kFast})));
  }
  TestUpdate vector;
  vector.Add({9}, {0, 1, -1, 2.5f, -7, 100, 1e-3f, -300, 4});
  absl::StrAppend(&text, Line("vector, step 1", vector, *EncodeUpdateAtStep(vector.Tensors(), 1, 0, nullptr)));
  return text;
}

TEST(GoldenUpdate, BytesAndValuesAreThoseOnRecord) {
  const auto recorded = ReadWholeFile(kPath, 1 << 20);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  EXPECT_EQ(Today(), *recorded);
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1 && std::strcmp(argv[1], "--rewrite") == 0) {
    const absl::Status status = thinwire::WriteFileAtomically(thinwire::kPath, thinwire::Today());
    std::cerr << status << "\n";
    return status.ok() ? 0 : 1;
  }
  return RUN_ALL_TESTS();
}
