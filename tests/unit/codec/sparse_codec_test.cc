// Sparse frames: what goes in comes out, in no more bytes than promised, and hostile ones are refused.
#include "common/codec/sparse_codec.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/codec/codec.h"
#include "common/codec/frame.h"
#include "common/codec/payload.h"
#include "common/codec/position_code.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/codec/hex_text.h"

namespace thinwire {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

const CodecSpec kExact = CodecSpec::Sparse(CodecSpec::Fp32());

SparseEntries RandomEntries(size_t count, uint64_t dimension, uint64_t seed) {
  RandomStream random(seed);
  std::set<uint64_t> positions;
  while (positions.size() < count) positions.insert(random.Below(dimension));
  SparseEntries entries;
  for (const uint64_t position : positions) {
    entries.positions.push_back(position);
    entries.values.push_back(static_cast<float>(random.NextDouble() - 0.5));
  }
  return entries;
}

std::string Encode(const SparseEntries& entries, const CodecSpec& codec = kExact, float scale = 1) {
  std::string frame;
  EXPECT_THAT(EncodeSparseFrame(codec, entries.positions, entries.values, scale, &frame), IsOk());
  return frame;
}

SparseEntries Decode(const std::string& frame, size_t count, uint64_t dimension) {
  SparseEntries entries;
  entries.positions.resize(count);
  entries.values.resize(count);
  EXPECT_THAT(DecodeSparseFrame(frame, dimension, absl::MakeSpan(entries.positions), absl::MakeSpan(entries.values)),
              IsOk());
  return entries;
}

StatusCode Refusal(const std::string& frame, size_t count, uint64_t dimension) {
  std::vector<uint64_t> positions(count);
  std::vector<float> values(count);
  return DecodeSparseFrame(frame, dimension, absl::MakeSpan(positions), absl::MakeSpan(values)).code();
}

// With the checksum made right again.
std::string With(std::string frame, size_t offset, uint8_t value) {
  frame[offset] = static_cast<char>(value);
  const absl::string_view view(frame);
  StoreLittle<uint32_t>(static_cast<uint32_t>(frame.size() - kFrameHeaderSize), &frame[8]);
  StoreLittle<uint32_t>(Crc32c(view.substr(kFrameHeaderSize), Crc32c(view.substr(0, 12))), &frame[12]);
  return frame;
}

TEST(SparseCodecTest, EntriesComeBackAndTakeNoMoreThanPromised) {
  for (const uint64_t dimension : {uint64_t{1000}, uint64_t{70'000}, uint64_t{1} << 40}) {
    for (const size_t count : {1, 2, 30, 500}) {
      const SparseEntries entries = RandomEntries(count, dimension, dimension + count);
      const std::string frame = Encode(entries);
      const SparseEntries decoded = Decode(frame, count, dimension);
      EXPECT_EQ(decoded.positions, entries.positions);
      EXPECT_EQ(decoded.values, entries.values);
      EXPECT_LE(frame.size(), MaxSparseFrameSize(kExact, static_cast<uint32_t>(count), dimension));
    }
  }
}

TEST(SparseCodecTest, TheWorstPositionsTakeNoMoreThanPromisedEither) {
  for (const uint64_t dimension : {uint64_t{100}, uint64_t{65'536}, uint64_t{1} << 40}) {
    for (const uint64_t count : {2, 3, 50, 99}) {
      for (const uint64_t gap : {uint64_t{0}, (dimension - count) / 2, dimension - count}) {
        SparseEntries entries;  // a run at the front, then `gap` zeros before the last entry
        for (uint64_t i = 0; i + 1 < count; ++i) entries.positions.push_back(i);
        entries.positions.push_back(count - 1 + gap);
        entries.values.assign(count, 1.0f);
        const std::string frame = Encode(entries);
        EXPECT_LE(frame.size(), MaxSparseFrameSize(kExact, static_cast<uint32_t>(count), dimension));
        EXPECT_EQ(Decode(frame, count, dimension).positions, entries.positions);
      }
    }
  }
}

TEST(SparseCodecTest, PositionsTakeLittleMoreThanTheirEntropyAndDenseOnesNoMoreThanABitmap) {
  const PositionCode sparse = ChoosePositionCode(RandomEntries(2000, 200'000, 1).positions);
  // Entropy of a share of 1 %: 8.08 bits an entry; a Rice code wastes about 3 % of that.
  EXPECT_LT(static_cast<double>(sparse.bits) / 2000, 8.08 * 1.04);
  const PositionCode dense = ChoosePositionCode(RandomEntries(6000, 10'000, 1).positions);
  EXPECT_EQ(dense.parameter, 0);
  EXPECT_LE(dense.bits, 10'000u);
}

TEST(SparseCodecTest, ValuesMayBeSmallFloats) {
  const CodecSpec small = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  const SparseEntries entries = RandomEntries(300, 10'000, 3);
  const SparseEntries decoded = Decode(Encode(entries, CodecSpec::Sparse(small), 0.0625f), 300, 10'000);
  EXPECT_EQ(decoded.positions, entries.positions);
  for (size_t i = 0; i < 300; ++i) EXPECT_NEAR(decoded.values[i], entries.values[i], 0.5 / 128);
  EXPECT_EQ(ReadFrameInfo(Encode(entries, CodecSpec::Sparse(small), 0.0625f))->codec.Name(),
            "positions and s1e3m7 (power-of-two scale)");
}

TEST(SparseCodecTest, EncodersRefuseWhatIsNoListOfEntries) {
  std::string frame = "before";
  const std::vector<float> values = {1, 2};
  for (const std::vector<uint64_t>& positions :
       {std::vector<uint64_t>{5, 5}, {6, 5}, {5}, {}, {0, ModelSpec::kMaxValues}}) {
    EXPECT_EQ(EncodeSparseFrame(kExact, positions, values, 1, &frame).code(), StatusCode::kInvalidArgument);
  }
  const std::vector<uint64_t> positions = {1, 2};
  const std::vector<float> nan = {1, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(EncodeSparseFrame(kExact, positions, nan, 1, &frame).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(frame, "before");
}

// Positions 3, 10, 40 of 41.
class HostileSparseTest : public testing::Test {
 protected:
  HostileSparseTest() : frame_(Encode({{3, 10, 40}, {1, 2, 3}})) {}
  const std::string frame_;
};

TEST_F(HostileSparseTest, PositionsOutsideTheVectorAreRefused) {
  EXPECT_EQ(Decode(frame_, 3, 41).positions, (std::vector<uint64_t>{3, 10, 40}));
  EXPECT_EQ(Refusal(frame_, 3, 40), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(frame_, 3, 10), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(frame_, 3, 3), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(frame_, 3, 0), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(With(frame_, kFrameHeaderSize + 15, 0xff), 3, 41), StatusCode::kInvalidArgument);
}

TEST_F(HostileSparseTest, OtherNumbersOfEntriesAreRefused) {
  EXPECT_EQ(Refusal(frame_, 2, 41), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(frame_, 4, 41), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(With(frame_, 4, 2), 2, 41), StatusCode::kInvalidArgument);  // values left over
  EXPECT_EQ(Refusal(With(frame_, 4, 4), 4, 41), StatusCode::kInvalidArgument);  // values missing
  EXPECT_EQ(Refusal(With(frame_, 4, 0), 0, 41), StatusCode::kInvalidArgument);
}

TEST_F(HostileSparseTest, HeadersMustBeLawful) {
  const size_t body = kFrameHeaderSize;
  EXPECT_EQ(Refusal(With(frame_, body, 41), 3, 41), StatusCode::kInvalidArgument);
  for (const uint8_t codec : {0, 3, 4, 5}) {
    EXPECT_EQ(Refusal(With(frame_, body + 1, codec), 3, 41), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Refusal(With(frame_, body + 2, 1), 3, 41), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(With(frame_, body + 3, 1), 3, 41), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(With(frame_, body + 7, 0x7f), 3, 41), StatusCode::kInvalidArgument);  // 2^31 bytes of positions
  EXPECT_EQ(Refusal(frame_.substr(0, body + 15), 3, 41), StatusCode::kInvalidArgument);
}

TEST_F(HostileSparseTest, BitsLeftOverAndBitsMissingAreRefused) {
  const std::string dense = Encode({{0, 1, 2, 4}, {1, 2, 3, 4}});  // bits 0 0 1 0
  ASSERT_EQ(ReadSparseHeader(absl::string_view(dense).substr(kFrameHeaderSize), 4)->parameter, 0);
  const size_t bits = kFrameHeaderSize + kSparseHeaderSize;
  ASSERT_EQ(dense[bits], 0x04);
  EXPECT_EQ(Refusal(With(dense, bits, 0x84), 4, 100), StatusCode::kInvalidArgument);
  EXPECT_EQ(Refusal(With(dense, bits, 0x7f), 4, 100), StatusCode::kInvalidArgument);
  std::string more = dense;
  more.insert(bits, 1, '\0');
  EXPECT_EQ(Refusal(With(more, kFrameHeaderSize + 4, 2), 4, 100), StatusCode::kInvalidArgument);
  // A run of ones that never ends says a gap beyond any vector, and costs no more time than its bytes.
  std::string endless = frame_;
  const uint32_t position_bytes = LoadLittle<uint32_t>(&endless[kFrameHeaderSize + 4]);
  for (uint32_t i = 0; i < position_bytes; ++i) endless = With(endless, bits + i, 0xff);
  EXPECT_EQ(Refusal(endless, 3, uint64_t{1} << 40), StatusCode::kInvalidArgument);
}

TEST_F(HostileSparseTest, AnyFlippedBitIsFound) {
  for (size_t byte = 0; byte < frame_.size(); ++byte) {
    std::string damaged = frame_;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 0x10);
    EXPECT_NE(Refusal(damaged, 3, 41), StatusCode::kOk) << byte;
  }
}

TEST_F(HostileSparseTest, SparseFramesAreNotTakenForOthersNorOthersForThem) {
  std::vector<float> values(3);
  EXPECT_EQ(DecodeFrame(frame_, absl::MakeSpan(values)).code(), StatusCode::kInvalidArgument);
  std::string dense;
  ASSERT_THAT(MakeCodec(CodecSpec::Fp32()).value()->Encode(values, 1, &dense), IsOk());
  EXPECT_EQ(Refusal(dense, 3, 41), StatusCode::kInvalidArgument);
}

class SparsePayloadTest : public testing::Test {
 protected:
  static constexpr uint64_t kDimension = 1'000'000;
  SparsePayloadTest() : spec_(*ModelSpec::Create({EntriesTensor(kCount, kDimension), Buffer()})) {}
  static TensorSpec Buffer() { return {"mean", {2}, DataType::kFloat32, TensorRole::kBuffer}; }
  static constexpr uint64_t kCount = 70'000;  // two blocks

  TemporaryDirectory folder_;
  const ModelSpec spec_;
};

TEST_F(SparsePayloadTest, EntriesTravelInBlocksAndStayWithinThePayloadsLimit) {
  const SparseEntries entries = RandomEntries(kCount, kDimension, 4);
  ModelState state(spec_);
  state.floats[1] = {5, 6};
  ModelStateSource source(state);
  EncodeOptions options{Representation::kDelta, kExact, Sha256("base")};
  options.entries = &entries;
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref, EncodePayload(spec_, options, source, folder_.Path("p")));
  EXPECT_LE(ref.total_size, *MaxPayloadSize(spec_, Representation::kDelta, kExact));
  ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(folder_.Path("p"), ref, spec_));
  SparseEntries decoded;
  decoded.positions.resize(kCount);
  decoded.values.resize(kCount);
  for (uint64_t block = 0; block < 2; ++block) {
    ASSERT_THAT(reader.DecodeEntries(reader.SegmentIndex(0, block), kDimension,
                                     absl::MakeSpan(decoded.positions).subspan(block * kBlockValues, kBlockValues),
                                     absl::MakeSpan(decoded.values).subspan(block * kBlockValues, kBlockValues)),
                IsOk());
  }
  EXPECT_EQ(decoded.positions, entries.positions);
  EXPECT_EQ(decoded.values, entries.values);
  std::vector<float> buffer(2);
  ASSERT_THAT(reader.DecodeFloats(reader.SegmentIndex(1, 0), absl::MakeSpan(buffer)), IsOk());
  EXPECT_EQ(buffer, state.floats[1]);
}

TEST_F(SparsePayloadTest, EntriesGoWithTheSparseCodecOnlyAndAreAllThere) {
  ModelState state(spec_);
  ModelStateSource source(state);
  SparseEntries few = RandomEntries(10, kDimension, 4);
  EncodeOptions options{Representation::kDelta, kExact, Sha256("base")};
  EXPECT_THAT(EncodePayload(spec_, options, source, folder_.Path("p")), StatusIs(StatusCode::kInvalidArgument));
  options.entries = &few;
  EXPECT_THAT(EncodePayload(spec_, options, source, folder_.Path("p")),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("must be 70000")));
  options.codec = CodecSpec::Fp32();
  EXPECT_THAT(EncodePayload(spec_, options, source, folder_.Path("p")), StatusIs(StatusCode::kInvalidArgument));
}

TEST(SparseCodecTest, TheGoldenFrameIsWhatIsWritten) {
  const auto text = ReadWholeFile(THINWIRE_SOURCE_DIR "/tests/golden/sparse/entries_fp32.txt", 1 << 16);
  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(BytesFromHexText(ParseFields(*text)["frame"]), Encode({{3, 10, 40}, {1.0f, -2.5f, 0.1f}}));
}

TEST(EntriesTensorTest, ItsNameSaysOfHowLongAVectorItsEntriesAre) {
  EXPECT_EQ(EntriesDimension(EntriesTensor(5, 123'456)), 123'456u);
  EXPECT_EQ(EntriesDimension({"thinwire.entries/x", {5}, DataType::kFloat32, TensorRole::kTrainable}), std::nullopt);
  EXPECT_EQ(EntriesDimension({"weight", {5}, DataType::kFloat32, TensorRole::kTrainable}), std::nullopt);
  EXPECT_EQ(EntriesDimension({"thinwire.entries/9", {5}, DataType::kFloat32, TensorRole::kBuffer}), std::nullopt);
}

}  // namespace
}  // namespace thinwire
