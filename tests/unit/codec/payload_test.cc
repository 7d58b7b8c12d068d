#include "common/codec/payload.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/codec/codec_spec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/codec/payload_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

Digest SomeDigest() { return Sha256("base"); }

class PayloadTest : public PayloadFixture {
 protected:
  PayloadRef Encode(Representation representation, const CodecSpec& codec, Digest base_id = {}) {
    const auto ref = EncodePayload(state.spec, {representation, codec, base_id}, source, path);
    EXPECT_TRUE(ref.ok()) << ref.status();
    return ref.value_or(PayloadRef{});
  }
  PayloadReader Open(const PayloadRef& ref) {
    auto reader = PayloadReader::Open(path, ref, state.spec);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }
  absl::Status OpenStatus(const PayloadRef& ref) { return PayloadReader::Open(path, ref, state.spec).status(); }
  void FlipByte(uint64_t offset) {
    auto file = File::OpenForUpdate(path);
    ASSERT_TRUE(file.ok());
    char byte;
    ASSERT_TRUE(file->ReadAt(offset, 1, &byte).ok());
    byte = static_cast<char>(byte ^ 0x40);
    ASSERT_TRUE(file->WriteAt(offset, absl::string_view(&byte, 1)).ok());
  }
};

TEST_F(PayloadTest, AnFp32ModelComesBackBitForBit) {
  const PayloadReader reader = Open(Encode(Representation::kModel, CodecSpec::Fp32()));
  PayloadSource decoded(reader);
  for (const uint32_t tensor : {0u, 2u, 5u}) {
    std::vector<float> values(state.floats[tensor].size());
    ASSERT_TRUE(decoded.ReadFloats(tensor, 0, absl::MakeSpan(values)).ok());
    EXPECT_EQ(values, state.floats[tensor]);
  }
  std::vector<int64_t> steps(1);
  ASSERT_TRUE(decoded.ReadInts(3, 0, absl::MakeSpan(steps)).ok());
  EXPECT_EQ(steps, state.ints[3]);
}

TEST_F(PayloadTest, SmallFloatsTouchTrainableTensorsOnly) {
  const CodecSpec codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  const PayloadReader reader = Open(Encode(Representation::kDelta, codec, SomeDigest()));
  PayloadSource decoded(reader);
  std::vector<float> buffer(3), weights(state.floats[5].size());
  ASSERT_TRUE(decoded.ReadFloats(2, 0, absl::MakeSpan(buffer)).ok());
  EXPECT_EQ(buffer, state.floats[2]);
  ASSERT_TRUE(decoded.ReadFloats(5, 0, absl::MakeSpan(weights)).ok());
  EXPECT_NE(weights, state.floats[5]);
  for (size_t i = 0; i < weights.size(); ++i) {
    ASSERT_NEAR(weights[i], state.floats[5][i], std::abs(state.floats[5][i]) / 256 + 1e-5) << i;
  }
}

TEST_F(PayloadTest, FrozenTensorsTravelAlone) {
  const PayloadReader reader = Open(Encode(Representation::kFrozen, CodecSpec::Fp32()));
  EXPECT_EQ(reader.manifest().segments.size(), 2u);
  EXPECT_EQ(reader.SegmentIndex(0, 0), PayloadReader::kNoSegment);
  EXPECT_EQ(reader.SegmentIndex(1, 0), 0u);
  EXPECT_EQ(reader.SegmentIndex(6, 0), 1u);
  PayloadSource decoded(reader);
  std::vector<int64_t> table(4);
  ASSERT_TRUE(decoded.ReadInts(6, 0, absl::MakeSpan(table)).ok());
  EXPECT_EQ(table, state.ints[6]);
  std::vector<float> weights(60);
  EXPECT_EQ(decoded.ReadFloats(0, 0, absl::MakeSpan(weights)).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PayloadTest, TheStatedMaximumIsTheActualSizeForEveryFixedRateCodec) {
  for (const Representation representation : {Representation::kModel, Representation::kFrozen}) {
    for (const CodecSpec& codec :
         {CodecSpec::Fp32(), CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo), CodecSpec::Float(8, 23, ScaleRule::kNone),
          CodecSpec::Float(2, 0, ScaleRule::kAbsMax)}) {
      const PayloadRef ref = Encode(representation, codec);
      EXPECT_EQ(ref.total_size, *MaxPayloadSize(state.spec, representation, codec)) << codec.Name();
      EXPECT_EQ(ref.bits(), ref.total_size * 8);
    }
  }
}

TEST_F(PayloadTest, BlocksMayBeReadInAnyGrouping) {
  const PayloadReader reader = Open(Encode(Representation::kModel, CodecSpec::Fp32()));
  PayloadSource decoded(reader);
  std::vector<float> tail(kBlockValues + 7);
  ASSERT_TRUE(decoded.ReadFloats(5, kBlockValues, absl::MakeSpan(tail)).ok());
  EXPECT_EQ(tail, std::vector<float>(state.floats[5].begin() + kBlockValues, state.floats[5].end()));
  std::vector<float> partial(kBlockValues + 6);
  EXPECT_EQ(decoded.ReadFloats(5, kBlockValues, absl::MakeSpan(partial)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(decoded.ReadFloats(5, 1, absl::MakeSpan(partial)).code(), absl::StatusCode::kInvalidArgument);
  std::vector<float> beyond(kBlockValues + 8);
  EXPECT_EQ(decoded.ReadFloats(5, kBlockValues, absl::MakeSpan(beyond)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(decoded.ReadFloats(4, 0, absl::Span<float>()).ok());
}

// The largest value may stand in any block: the scale is that of the whole tensor all the same.
TEST_F(PayloadTest, AllBlocksOfATensorHaveTheScaleOfTheWhole) {
  for (const CodecSpec& codec :
       {CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo), CodecSpec::Float(5, 6, ScaleRule::kAbsMax)}) {
    for (const size_t at : {size_t{5}, size_t{kBlockValues}, 2 * size_t{kBlockValues} + 6}) {
      state = MakeState();
      state.floats[5][at] = 1000.0f;
      const PayloadRef ref = Encode(Representation::kModel, codec);
      EXPECT_EQ(ref.total_size, *MaxPayloadSize(state.spec, Representation::kModel, codec));
      const PayloadReader reader = Open(ref);
      TensorScan scan;
      scan.Add(state.floats[5]);
      for (uint64_t block = 0; block < 3; ++block) {
        std::string frame;
        ASSERT_TRUE(reader.ReadSegment(reader.SegmentIndex(5, block), &frame).ok());
        EXPECT_EQ(ReadFrameInfo(frame)->scale, *(*MakeCodec(codec))->ChooseScale(scan)) << at << " " << block;
      }
      PayloadSource decoded(reader);
      std::vector<float> weights(state.floats[5].size());
      ASSERT_TRUE(decoded.ReadFloats(5, 0, absl::MakeSpan(weights)).ok());
      EXPECT_NEAR(weights[at], 1000.0f, 4.0f);
    }
  }
}

TEST_F(PayloadTest, TheSameValuesGiveTheSamePayload) {
  const CodecSpec codec = CodecSpec::Float(4, 3, ScaleRule::kAbsMax);
  const PayloadRef first = Encode(Representation::kModel, codec);
  const PayloadRef second = Encode(Representation::kModel, codec);
  EXPECT_EQ(first, second);
  state.floats[0][0] += 1;
  EXPECT_FALSE(Encode(Representation::kModel, codec) == first);
}

// A client that does not move and uploads the whole model sends back exactly what it got.
TEST_F(PayloadTest, ADecodedModelEncodesToTheSameValuesAgain) {
  const CodecSpec codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  const PayloadReader reader = Open(Encode(Representation::kModel, codec));
  PayloadSource decoded(reader);
  const std::string again_path = JoinPath(directory, "again");
  ASSERT_TRUE(EncodePayload(state.spec, {Representation::kModel, codec, reader.ref().id}, decoded, again_path).ok());
  const auto again = PayloadReader::Open(again_path, {}, state.spec);
  ASSERT_TRUE(again.ok()) << again.status();
  PayloadSource decoded_again(*again);
  for (const uint32_t tensor : {0u, 5u}) {
    std::vector<float> first(state.floats[tensor].size()), second(first.size());
    ASSERT_TRUE(decoded.ReadFloats(tensor, 0, absl::MakeSpan(first)).ok());
    ASSERT_TRUE(decoded_again.ReadFloats(tensor, 0, absl::MakeSpan(second)).ok());
    EXPECT_EQ(first, second);
  }
}

TEST_F(PayloadTest, ANanIsRefusedWithTheTensorsNameAndLeavesNoFile) {
  state.floats[5][kBlockValues + 3] = std::numeric_limits<float>::quiet_NaN();
  for (const CodecSpec& codec :
       {CodecSpec::Fp32(), CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo), CodecSpec::Float(3, 7, ScaleRule::kNone)}) {
    const auto ref = EncodePayload(state.spec, {Representation::kModel, codec, {}}, source, path);
    EXPECT_EQ(ref.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(ref.status().message()), HasSubstr("fc.weight"));
    EXPECT_FALSE(FileExists(path));
  }
}

TEST_F(PayloadTest, ADeltaMustNameItsBase) {
  const auto ref = EncodePayload(state.spec, {Representation::kDelta, CodecSpec::Fp32(), {}}, source, path);
  EXPECT_EQ(ref.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PayloadTest, DamageAnywhereIsDataLoss) {
  const PayloadRef ref = Encode(Representation::kModel, CodecSpec::Fp32());
  FlipByte(ref.manifest_size - 1);
  EXPECT_EQ(OpenStatus(ref).code(), absl::StatusCode::kDataLoss);
  FlipByte(ref.manifest_size - 1);
  ASSERT_TRUE(OpenStatus(ref).ok());
  FlipByte(ref.total_size - 1);
  const PayloadReader reader = Open(ref);
  std::vector<float> last(7);
  EXPECT_EQ(reader.DecodeFloats(reader.SegmentIndex(5, 2), absl::MakeSpan(last)).code(), absl::StatusCode::kDataLoss);
}

TEST_F(PayloadTest, AFileOfTheWrongLengthIsDataLoss) {
  const PayloadRef ref = Encode(Representation::kModel, CodecSpec::Fp32());
  for (const uint64_t size : {ref.total_size + 1, ref.total_size - 1, uint64_t{ref.manifest_size} - 1}) {
    ASSERT_TRUE(File::OpenForUpdate(path)->Truncate(size).ok());
    EXPECT_EQ(OpenStatus(ref).code(), absl::StatusCode::kDataLoss) << size;
  }
  ASSERT_TRUE(File::OpenForUpdate(path)->Truncate(0).ok());
  EXPECT_EQ(OpenStatus(ref).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PayloadTest, APayloadOfAnotherModelIsRefused) {
  const PayloadRef ref = Encode(Representation::kModel, CodecSpec::Fp32());
  const auto other = ModelSpec::Create({{"w", {3}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(PayloadReader::Open(path, ref, *other).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(PayloadReader::OpenForInspection(path).ok());
}

TEST_F(PayloadTest, AnAnnouncementThatDoesNotFitIsRefused) {
  PayloadRef ref = Encode(Representation::kModel, CodecSpec::Fp32());
  ref.total_size += 1;
  EXPECT_EQ(OpenStatus(ref).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PayloadTest, AMissingFileIsNotFound) { EXPECT_EQ(OpenStatus({}).code(), absl::StatusCode::kNotFound); }

}  // namespace
}  // namespace thinwire
