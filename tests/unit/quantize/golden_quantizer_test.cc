// Golden bytes of every quantiser: strings on record decode to the values on record, on every machine; and today's
// encoder writes these strings, where it does so without libm. `golden_quantizer_test --rewrite` records anew; then
// kUpdateVersion must change, too.
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

const char kPath[] = THINWIRE_SOURCE_DIR "/tests/golden/quantize/updates.txt";

// Two tensors and one without values, heavy-tailed, from integers alone.
Tensors GoldenUpdate() {
  RandomStream random(7);
  Tensors tensors = {std::vector<float>(150), {}, std::vector<float>(50)};
  for (std::vector<float>& tensor : tensors) {
    for (float& x : tensor) {
      const float u = static_cast<float>(random.Below(2001)) / 1000 - 1;
      x = u * u * u;
    }
  }
  return tensors;
}

struct Case {
  QuantizerSpec spec;
  uint64_t budget_bits;
  bool fitted;  // levels by libm
};

std::vector<Case> Cases() {
  QuantizerSpec likelihood = QuantizerSpec::Lloyd(DensityFamily::kGeneralisedNormal, 0, 2);
  likelihood.fit = FitMethod::kLikelihood;
  QuantizerSpec twice = QuantizerSpec::Rotated(true);
  twice.rotations = 2;
  twice.block_log2 = 6;
  return {{QuantizerSpec::Lloyd(DensityFamily::kGeneralisedNormal, 2, 3), 600, true},
          {likelihood, 400, true},
          {QuantizerSpec::TinyScript(2), 500, true},
          {QuantizerSpec::Uniform(4), 700, false},
          {QuantizerSpec::Uniform(4), 56 + 8, false},  // no entry
          {QuantizerSpec::Float(5, 2), 700, false},
          {QuantizerSpec::Float(2, 1), 500, false},
          {QuantizerSpec::Sign(), 400, false},
          {QuantizerSpec::Qsgd(0), 700, false},
          {QuantizerSpec::Qsgd(32), 2000, false},
          {QuantizerSpec::Rotated(false), 700, false},
          {twice, 900, false}};
}

std::string NameOf(const Case& one) { return absl::StrCat(one.spec.Name(), ", ", one.budget_bits, " bits"); }

std::string Encode(const Case& one) {
  QuantizeOptions options;
  options.budget_bits = one.budget_bits;
  options.seed = 11;
  return *QuantizeUpdate(one.spec, View(GoldenUpdate()), options);
}

std::string ValuesDigest(const std::string& bytes) {
  Tensors tensors = {std::vector<float>(150), {}, std::vector<float>(50)};
  const absl::Status status = DequantizeUpdate(bytes, MutableView(tensors));
  if (!status.ok()) return status.ToString();
  std::string all;
  for (const auto& values : tensors) {
    for (const float v : values) AppendLittle(FloatBits(v), &all);
  }
  return Sha256(all).Hex();
}

std::string Today() {
  std::string text;
  for (const Case& one : Cases()) {
    const std::string bytes = Encode(one);
    absl::StrAppend(&text, NameOf(one), ": ", absl::BytesToHexString(bytes), " ", ValuesDigest(bytes), "\n");
  }
  return text;
}

TEST(GoldenQuantizer, StringsOnRecordDecodeToTheValuesOnRecordAndAreWrittenToday) {
  const auto recorded = ReadWholeFile(kPath, 1 << 20);
  ASSERT_TRUE(recorded.ok()) << recorded.status();
  std::map<std::string, std::vector<std::string>> lines;
  for (const absl::string_view line : absl::StrSplit(*recorded, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, ": ");
    ASSERT_EQ(parts.size(), 2u) << line;
    lines[parts[0]] = absl::StrSplit(parts[1], ' ');
  }
  ASSERT_EQ(lines.size(), Cases().size());
  for (const Case& one : Cases()) {
    const std::vector<std::string>& line = lines[NameOf(one)];
    ASSERT_EQ(line.size(), 2u) << NameOf(one);
    const std::string bytes = absl::HexStringToBytes(line[0]);
    EXPECT_EQ(ValuesDigest(bytes), line[1]) << NameOf(one);
    EXPECT_LE(8 * bytes.size(), one.budget_bits);
    const std::string today = Encode(one);
    if (one.fitted) {
      EXPECT_EQ(today.size(), bytes.size()) << NameOf(one);
    } else {
      EXPECT_EQ(absl::BytesToHexString(today), line[0]) << NameOf(one);
    }
  }
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
