// Bytes that nobody encoded: they decode to finite numbers or are refused by name, in the time that their values take.
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "common/rdu/plane_coder.h"
#include "common/rdu/tensor_coder.h"
#include "common/rdu/update_stream.h"
#include "gtest/gtest.h"
#include "tests/unit/rdu/page_decoder.h"
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

// Bytes that operator new has given out and that were not given back.
size_t live = 0, peak = 0;

// 30 bytes for many values: what they cost is bounded by the values, not by what the bytes say.
TEST(HostileUpdate, AFewBytesForManyValuesCostNoMoreThanAnHonestUpdate) {
  constexpr size_t kRows = 1024, kColumns = 128;
  const std::vector<Shape> shapes = {{kRows, kColumns}};
  TestUpdate honest;
  honest.Add(shapes[0], LowRankValues(3, kRows, kColumns, 8, 0.1f));
  const PageDecoding work = DecodeByThePage(*EncodeUpdate(honest.Tensors(), 2 * kRows * kColumns, nullptr), shapes);
  RandomStream random(4);
  std::vector<float> out(kRows * kColumns);
  uint64_t most_products = 0;
  for (int i = 0; i < 16; ++i) {
    std::string bytes("\x01\x01\x40", 3);
    for (int j = 0; j < 30; ++j) {
      bytes.push_back(static_cast<char>(i == 0                                            ? 0xff
                                        : random.Below(8) <= static_cast<uint64_t>(i % 8) ? 0
                                                                                          : random.Below(256)));
    }
    const size_t before = peak = live;
    {
      UpdateDecoder decoder = *UpdateDecoder::Create(bytes);
      ASSERT_TRUE(decoder.Next(shapes[0], absl::MakeSpan(out)).ok());
    }
    // Tables of three kinds of planes, 339 KB, factors of at most twice the tensor, 32 bytes a column and some rows.
    EXPECT_LE(peak - before, 400'000 + 2 * sizeof(float) * out.size() + 64 * kColumns) << i;
    EXPECT_EQ(live, before);
    const PageDecoding cost = DecodeByThePage(bytes, shapes);
    EXPECT_EQ(cost.values[0], out) << i;
    EXPECT_LE(cost.decisions, work.decisions) << i;
    EXPECT_LE(cost.products, 63 * out.size()) << i;
    most_products = std::max(most_products, cost.products);
  }
  EXPECT_GT(most_products, 0u);  // some of them do claim a rank
}

void EncodePlane(PlaneKind kind, size_t rows, size_t columns, UpdateModel* model, RangeEncoder* coder) {
  PlaneEncoder plane(kind, columns, &model->coefficients, coder);
  std::vector<double> row(columns, 3);
  std::vector<int32_t> coefficients(columns);
  for (size_t i = 0; i < rows; ++i) plane.EncodeRow(row.data(), kSlope, coefficients.data());
}

// A matrix of 6 x 40 that says it has that rank, followed by factors of three components and a rest.
std::string WithRank(size_t rank) {
  std::string bytes;
  AppendUpdateHeader(kBestVersion, StepCodeOf(0.5), &bytes);
  const auto model = std::make_unique<UpdateModel>();
  RangeEncoder coder(&bytes);
  EncodeBits bits{&coder};
  model->CodeAny(bits, true);
  for (size_t i = 6, node = 1; i-- > 0;) {
    const bool bit = (rank >> i & 1) != 0;
    coder.Encode(bit, model->rank_bits[node].p());
    node = 2 * node + (bit ? 1 : 0);
  }
  coder.EncodeRaw(64, 8);  // the exponent 0
  for (int k = 1; k < 3; ++k) {
    coder.Encode(false, model->drop_bits[0].p());
    model->drop_bits[0].Update(false, 60);
  }
  EncodePlane(PlaneKind::kShortFactor, 3, 6, model.get(), &coder);
  EncodePlane(PlaneKind::kLongFactor, 3, 40, model.get(), &coder);
  EncodePlane(PlaneKind::kMatrix, 6, 40, model.get(), &coder);
  coder.Finish(coder.mark());
  return bytes;
}

// A rank is six bits, what a tensor can have may be less: a reader takes that, and the stream goes on.
TEST(HostileUpdate, ARankAboveWhatTheTensorHasIsTakenAsThat) {
  const std::vector<Shape> shapes = {{6, 40}};
  const auto lawful = Decode(WithRank(3), shapes), hostile = Decode(WithRank(63), shapes);
  ASSERT_TRUE(lawful.ok()) << lawful.status();
  ASSERT_TRUE(hostile.ok()) << hostile.status();
  EXPECT_EQ(*lawful, *hostile);
  EXPECT_NEAR((*lawful)[0][239], 0.5 * (3 * 9 + 3), 0.5);
}

}  // namespace
}  // namespace thinwire

__attribute__((noinline)) void* operator new(size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  thinwire::live += malloc_usable_size(memory);
  thinwire::peak = std::max(thinwire::peak, thinwire::live);
  return memory;
}
__attribute__((noinline)) void* operator new(size_t size, std::align_val_t alignment) {
  const size_t unit = static_cast<size_t>(alignment);
  void* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
  if (memory == nullptr) std::abort();
  thinwire::live += malloc_usable_size(memory);
  thinwire::peak = std::max(thinwire::peak, thinwire::live);
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  thinwire::live -= memory == nullptr ? 0 : malloc_usable_size(memory);
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  operator delete(memory);
}
