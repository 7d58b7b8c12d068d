// Golden vectors: today's program makes the matrices that are on record, bit by bit, on every instruction set.
// `fastfood_golden_test --rewrite` records anew, which breaks every run that stores a seed.
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/subspace/fastfood.h"
#include "common/subspace/permutation.h"
#include "common/subspace/walsh_hadamard.h"
#include "gtest/gtest.h"
#include "tests/unit/subspace/each_target.h"
#include "tests/unit/subspace/subspace_fixture.h"

namespace thinwire {
namespace {

const char kPath[] = THINWIRE_SOURCE_DIR "/tests/golden/subspace/fastfood.txt";

struct GoldenCase {
  const char* name;
  FastfoodSpec spec;
};
constexpr uint64_t kSeed = 0x0123456789abcdef;
const GoldenCase kCases[] = {
    {"one value", {1, 1, 1, 0, FastfoodDiagonal::kSigns}},
    {"small, signs", {kSeed, 100, 7, 0, FastfoodDiagonal::kSigns}},
    {"small, normal", {kSeed, 100, 7, 0, FastfoodDiagonal::kNormal}},
    {"blocks, signs", {kSeed, 1000, 130, 256, FastfoodDiagonal::kSigns}},
    {"blocks, normal", {kSeed, 1000, 130, 256, FastfoodDiagonal::kNormal}},
    {"between blocks, signs", {~uint64_t{0}, 1'234'567, 2000, 0, FastfoodDiagonal::kSigns}},
    {"between blocks, normal", {~uint64_t{0}, 1'234'567, 2000, 0, FastfoodDiagonal::kNormal}},
    {"as many dimensions as values", {5, 131'072, 131'072, 0, FastfoodDiagonal::kSigns}},
};

std::string LittleEndian(absl::Span<const float> values) {
  std::string bytes;
  for (const float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift);
  }
  return bytes;
}

// SHA-256 of the little-endian binary32 values, and the first eight.
std::string Line(const std::string& name, absl::Span<const float> values) {
  const std::string bytes = LittleEndian(values);
  return absl::StrCat(name, ": ", Sha256(bytes).Hex(), "\n  ", absl::BytesToHexString(bytes.substr(0, 32)), "\n");
}

std::string Permutations() {
  std::string text;
  for (const uint64_t size : {uint64_t{10}, uint64_t{1000}, SeededPermutation::kMaxSize}) {
    const SeededPermutation permutation = *SeededPermutation::Create(kSeed, size);
    absl::StrAppend(&text, "permutation of ", size, ":");
    for (uint32_t i = 0; i < 10; ++i) absl::StrAppend(&text, " ", permutation.Forward(i));
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string Golden() {
  std::string text =
      "# Written by fastfood_golden_test --rewrite. SHA-256 of little-endian binary32 values and the first eight, in\n"
      "# hexadecimal. Inputs are uniform in [-1, 1): the upper 25 bits of words of the counter-based generator.\n";
  text += Permutations();
  for (const int levels : {3, 10, 16, 20}) {
    std::vector<float> values = RandomValues(1, size_t{1} << levels);
    EXPECT_THAT(WalshHadamard(absl::MakeSpan(values)), IsOk());
    text += Line(absl::StrCat("transform of 2^", levels), values);
  }
  for (const GoldenCase& c : kCases) {
    const Fastfood fastfood = *Fastfood::Create(c.spec);
    absl::StrAppend(&text, "# ", c.name, ": seed ", c.spec.seed, " D ", c.spec.dense_size, " d ", c.spec.subspace_size,
                    " b ", c.spec.block_size, " diagonal ", static_cast<int>(c.spec.diagonal), "\n");
    text += Line("A x", Apply(fastfood, RandomValues(2, c.spec.subspace_size)));
    text += Line("A^T g", ApplyTranspose(fastfood, RandomValues(3, c.spec.dense_size)));
  }
  return text;
}

class FastfoodGoldenTest : public EachTarget {};

TEST_P(FastfoodGoldenTest, MatricesAreThoseOnRecord) {
  const auto recorded = ReadWholeFile(kPath, 1 << 20);
  ASSERT_THAT(recorded, IsOk());
  EXPECT_EQ(Golden(), *recorded);
}

INSTANTIATE_TEST_SUITE_P(Targets, FastfoodGoldenTest, testing::ValuesIn(Targets()), TargetNameOf);

}  // namespace

int Rewrite() {
  const absl::Status status = WriteFileAtomically(kPath, Golden());
  std::cout << kPath << ": " << status << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace thinwire

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--rewrite") return thinwire::Rewrite();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
