// Strings that nobody encoded: each is refused by name or decodes to finite values, within the memory of the model.
#include <cmath>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/quantize/quantizer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/quantize/quantize_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

struct Coded {
  QuantizerSpec spec;
  std::string bytes;
};

const Tensors& TheUpdate() {
  static const Tensors update = RandomUpdate(1, {150, 1, 60});
  return update;
}

std::vector<Coded> AllCoded() {
  QuantizeOptions options;
  options.budget_bits = 900;
  std::vector<Coded> all;
  for (const QuantizerSpec& spec : AllQuantizers()) {
    absl::StatusOr<std::string> bytes = QuantizeUpdate(spec, View(TheUpdate()), options);
    EXPECT_THAT(bytes, IsOk()) << spec.Name();
    if (bytes.ok()) all.push_back({spec, *bytes});
  }
  return all;
}

void ExpectRefusedOrFinite(const std::string& bytes) {
  const absl::StatusOr<Tensors> decoded = Decode(bytes, TheUpdate());
  if (!decoded.ok()) {
    EXPECT_THAT(decoded.status().code(),
                testing::AnyOf(absl::StatusCode::kInvalidArgument, absl::StatusCode::kUnimplemented));
    EXPECT_FALSE(decoded.status().message().empty());
    return;
  }
  for (const auto& tensor : *decoded) {
    for (const float x : tensor) ASSERT_TRUE(std::isfinite(x));
  }
}

TEST(QuantizerHostileTest, NoPrefixAndNoExtensionIsAnUpdate) {
  for (const Coded& coded : AllCoded()) {
    for (size_t size = 0; size < coded.bytes.size(); ++size) {
      EXPECT_THAT(Decode(coded.bytes.substr(0, size), TheUpdate()), StatusIs(absl::StatusCode::kInvalidArgument))
          << coded.spec.Name() << " cut to " << size;
    }
    EXPECT_THAT(Decode(coded.bytes + '\0', TheUpdate()), StatusIs(absl::StatusCode::kInvalidArgument))
        << coded.spec.Name();
  }
}

TEST(QuantizerHostileTest, NoChangedByteDoesHarm) {
  for (const Coded& coded : AllCoded()) {
    for (size_t at = 0; at < coded.bytes.size(); ++at) {
      for (const int change : {0x01, 0x80, 0xff, 0x7f}) {
        std::string bytes = coded.bytes;
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        ExpectRefusedOrFinite(bytes);
      }
    }
  }
}

TEST(QuantizerHostileTest, NoiseBehindAnHonestHeaderDoesNoHarm) {
  RandomStream random(3);
  for (const char method : {'\1', '\2', '\3', '\4'}) {
    for (int trial = 0; trial < 3000; ++trial) {
      std::string bytes("\x01\x01\x03\xd3\x01", 5);
      bytes[1] = method;
      for (uint64_t i = random.Below(80); i > 0; --i) {
        bytes.push_back(static_cast<char>(random.Below(3) == 0 ? random.Below(6) : random.NextU32()));
      }
      ExpectRefusedOrFinite(bytes);
    }
  }
}

TEST(QuantizerHostileTest, OtherModelsVersionsAndMethodsAreNamed) {
  const std::string bytes = AllCoded()[0].bytes;
  EXPECT_THAT(Decode(bytes, {{1, 2}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3 tensors with 211 values, the model 1 with 2")));
  std::string other = bytes;
  other[0] = 2;
  EXPECT_THAT(Decode(other, TheUpdate()), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("version 2")));
  other = bytes;
  other[1] = 5;
  EXPECT_THAT(Decode(other, TheUpdate()), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("quantiser 5")));
}

// Scales that are lawful one by one, and a value that is not finite.
TEST(QuantizerHostileTest, ScalesThatOverflowAreRefused) {
  QuantizeOptions options;
  options.budget_bits = 4000;
  ASSERT_OK_AND_ASSIGN(std::string bytes, QuantizeUpdate(QuantizerSpec::Rotated(false), View(TheUpdate()), options));
  StoreLittle<uint32_t>(FloatBits(3e38f), &bytes[5 + 13]);
  EXPECT_THAT(Decode(bytes, TheUpdate()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not finite")));
  StoreLittle<uint32_t>(0x7fc00000u, &bytes[5 + 13]);
  EXPECT_THAT(Decode(bytes, TheUpdate()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("scale")));
  StoreLittle<uint32_t>(FloatBits(-1), &bytes[5 + 13]);
  EXPECT_THAT(Decode(bytes, TheUpdate()), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("scale")));
}

}  // namespace
}  // namespace thinwire
