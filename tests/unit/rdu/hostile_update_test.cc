// Bytes that nobody encoded: they decode to finite numbers or are refused by name, in the time that their values take.
#include <cmath>

#include "gtest/gtest.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

const std::vector<Shape> kShapes = {{3}, {16, 40}, {70, 5}, {1, 9}, {2, 2, 2}};

// Whether it decodes; if so, to finite values.
bool DecodesToFinite(const std::string& bytes) {
  const auto decoded = Decode(bytes, kShapes);
  if (!decoded.ok()) return false;
  for (const auto& values : *decoded) {
    for (const float v : values) EXPECT_TRUE(std::isfinite(v));
  }
  return true;
}

TEST(HostileUpdate, HeadersAreCheckedByName) {
  EXPECT_EQ(UpdateDecoder::Create(std::string("\x01\x00\x40", 3)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(UpdateDecoder::Create("\x01").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(UpdateDecoder::Create("\x04\x01\x40zzz").status().code(), absl::StatusCode::kUnimplemented);
  const std::string denormal("\x01\x00\x00zz", 5), infinite("\x01\x00\xffzz", 5);
  EXPECT_EQ(UpdateDecoder::Create(denormal).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(UpdateDecoder::Create(infinite).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(UpdateDecoder::Create("\x01\x01\x40z").ok());
}

TEST(HostileUpdate, CompandingIsCheckedByName) {
  const auto code = [](const std::string& companding) {
    return UpdateDecoder::Create(std::string("\x03\x01\x40", 3) + companding + "z").status().code();
  };
  EXPECT_EQ(code("\x01\x01"), absl::StatusCode::kOk);
  EXPECT_EQ(code("\x80\xfe"), absl::StatusCode::kOk);
  EXPECT_EQ(code(std::string("\0\x01", 2)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("\x81\x01"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(std::string("\x01\0", 2)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("\x01\xff"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code("\x01"), absl::StatusCode::kInvalidArgument);
}

TEST(HostileUpdate, RandomBytesDecodeToFiniteNumbers) {
  RandomStream random(1);
  int decoded = 0;
  for (int i = 0; i < 1600; ++i) {
    std::string bytes(6 + random.Below(60), i % 2 == 0 ? '\x01' : '\x03');
    for (size_t j = 1; j < bytes.size(); ++j) {
      bytes[j] = static_cast<char>(random.Below(4) == 0 ? (random.Below(2) == 0 ? 0xff : 0) : random.Below(256));
    }
    bytes[2] = static_cast<char>(1 + random.Below(253));
    decoded += DecodesToFinite(bytes) ? 1 : 0;
  }
  EXPECT_GT(decoded, 80);
}

TEST(HostileUpdate, DamagedUpdatesDecodeToFiniteNumbers) {
  TestUpdate update;
  for (size_t i = 0; i < kShapes.size(); ++i) {
    size_t size = 1;
    for (const uint64_t d : kShapes[i]) size *= d;
    update.Add(kShapes[i], BellValues(i, size, 1));
  }
  update.values[1] = LowRankValues(9, 16, 40, 2, 0.1f);
  const std::string plain = *EncodeUpdate(update.Tensors(), 4000, nullptr);
  const std::string companded = *EncodeUpdate(update.Tensors(), 4000, nullptr, {UpdateProfile::kBest, 3});
  ASSERT_TRUE(DecodesToFinite(plain));
  ASSERT_TRUE(DecodesToFinite(companded));
  RandomStream random(2);
  for (int i = 0; i < 1600; ++i) {
    std::string damaged = i % 2 == 0 ? plain : companded;
    for (uint64_t flips = 1 + random.Below(3); flips > 0; --flips) {
      damaged[3 + random.Below(damaged.size() - 3)] ^= static_cast<char>(1 << random.Below(8));
    }
    DecodesToFinite(damaged);
  }
}

TEST(HostileUpdate, BytesAfterTheLastValueAreRefused) {
  TestUpdate update = NetworkUpdate(5);
  const std::string bytes = *EncodeUpdateAtStep(update.Tensors(), 0.01, 32, nullptr);
  ASSERT_TRUE(Decode(bytes, update.shapes).ok());
  const auto decoded = Decode(bytes + std::string(16, '\x55'), update.shapes);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(HostileUpdate, AFewBytesForManyValuesCostOnlyTheirTime) {
  const std::vector<Shape> shapes = {{4096, 512}};
  for (const char fill : {'\x00', '\x01', '\x7f', '\xff'}) {
    const auto decoded = Decode(std::string("\x01\x01\x40", 3) + std::string(30, fill), shapes);
    if (decoded.ok()) {
      EXPECT_EQ((*decoded)[0].size(), size_t{4096 * 512});
    }
  }
}

}  // namespace
}  // namespace thinwire
