// Whole updates in frames and payloads: pieces, what a manifest may say of them, and what is refused.
#include "common/codec/update_frame.h"

#include <functional>
#include <string>

#include "common/codec/codec.h"
#include "common/codec/frame.h"
#include "common/codec/inspect.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr uint64_t kValues = 500'000;

ModelSpec UpdateModel() {
  return *ModelSpec::Create({UpdateTensorSpec(kValues), {"mean", {2}, DataType::kFloat32, TensorRole::kBuffer}});
}

class UpdatePayloadTest : public testing::Test {
 protected:
  absl::StatusOr<PayloadRef> Write(const std::string& bytes, CodecId codec = CodecId::kRdu) {
    const ModelState state(spec_);
    ModelStateSource source(state);
    EncodeOptions options{Representation::kDelta, CodecSpec::Update(codec), Sha256("base")};
    options.update = &bytes;
    return EncodePayload(spec_, options, source, path_);
  }
  std::string Read(const PayloadRef& ref) {
    const absl::StatusOr<PayloadReader> reader = PayloadReader::Open(path_, ref, spec_);
    EXPECT_THAT(reader, IsOk());
    std::string bytes, frame;
    for (size_t i = 0; reader.ok() && reader->manifest().segments[i].tensor == 0; ++i) {
      EXPECT_THAT(reader->ReadSegment(i, &frame), IsOk());
      const absl::StatusOr<UpdatePiece> piece = ReadUpdateFrame(frame, kValues);
      EXPECT_THAT(piece, IsOk());
      if (piece.ok()) bytes.append(piece->bytes.data(), piece->bytes.size());
    }
    return bytes;
  }

  const ModelSpec spec_ = UpdateModel();
  TemporaryDirectory folder_;
  const std::string path_ = folder_.Path("update");
};

TEST_F(UpdatePayloadTest, AStringTravelsInPiecesOfTheLargestSegments) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{kUpdatePieceSize}, size_t{kUpdatePieceSize} + 1,
                            3 * size_t{kUpdatePieceSize}, size_t{MaxUpdateStringSize(kValues)}}) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 5000);
    ASSERT_OK_AND_ASSIGN(const PayloadRef ref, Write(bytes));
    const size_t pieces = UpdatePieces(size);
    EXPECT_EQ(ref.total_size, kManifestHeaderSize + (pieces + 1) * (kManifestEntrySize + kFrameHeaderSize) + size + 8);
    EXPECT_LE(ref.total_size, *MaxPayloadSize(spec_, Representation::kDelta, CodecSpec::Update(CodecId::kRdu)));
    EXPECT_EQ(Read(ref), bytes) << size;
  }
  EXPECT_THAT(Write(std::string(MaxUpdateStringSize(kValues) + 1, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not go into it")));
}

TEST_F(UpdatePayloadTest, InspectionSaysOfHowManyValuesAndHow) {
  // rdu best, step 0x7a00; and top-k uniform R=4 of 2 tensors with 300 values.
  ASSERT_THAT(Write(std::string("\x01\x00\x7a", 3) + std::string(kUpdatePieceSize, 'x')), IsOk());
  ASSERT_OK_AND_ASSIGN(const PayloadReport report, InspectPayload(path_));
  ASSERT_EQ(report.tensors.size(), 2u);
  EXPECT_EQ(report.tensors[0].codec, "rdu best");
  EXPECT_EQ(report.tensors[0].scale, 0x1p-5f);
  EXPECT_EQ(report.tensors[0].values, kValues);
  EXPECT_EQ(report.tensors[0].blocks, 2u);
  EXPECT_EQ(report.values, kValues + 2);
  EXPECT_NEAR(report.bits_per_value(), 8.39, 0.01);
  ASSERT_THAT(Write(std::string("\x01\x01\x02\xac\x02\x12\x04\x00rest", 12), CodecId::kQuantized), IsOk());
  ASSERT_OK_AND_ASSIGN(const PayloadReport quantized, InspectPayload(path_));
  EXPECT_EQ(quantized.tensors[0].codec, "quantized: top-k uniform R=4");
  ASSERT_THAT(Write(""), IsOk());
  EXPECT_EQ(InspectPayload(path_)->tensors[0].codec, "rdu (zeros)");
}

TEST_F(UpdatePayloadTest, AnUpdateGoesOnlyIntoItsTensorAndOnlyWithItsCodec) {
  const ModelState state(spec_);
  ModelStateSource source(state);
  const std::string bytes = "x";
  EncodeOptions options{Representation::kDelta, CodecSpec::Fp32(), Sha256("base")};
  options.update = &bytes;
  EXPECT_THAT(EncodePayload(spec_, options, source, path_), StatusIs(absl::StatusCode::kInvalidArgument));
  options = {Representation::kDelta, CodecSpec::Update(CodecId::kRdu), Sha256("base")};
  EXPECT_THAT(EncodePayload(spec_, options, source, path_), StatusIs(absl::StatusCode::kInvalidArgument));
  options.update = &bytes;
  const ModelSpec other = *ModelSpec::Create({{"w", {1}, DataType::kFloat32, TensorRole::kTrainable}});
  const ModelState other_state(other);
  ModelStateSource other_source(other_state);
  EXPECT_THAT(EncodePayload(other, options, other_source, path_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'w'")));
}

TEST(UpdateManifestTest, OnlyWholePiecesAndOneRestAreLawful) {
  constexpr uint32_t kWhole = kFrameHeaderSize + kUpdatePieceSize;
  const auto verdict = [](const std::function<void(Manifest*)>& change) {
    Manifest manifest;
    manifest.representation = Representation::kDelta;
    manifest.model_id = UpdateModel().id();
    manifest.base_id = Sha256("base");
    manifest.segments = {{0, 0, 1, kWhole, Sha256("a")}, {0, 1, 1, 20, Sha256("b")}, {1, 0, 2, 24, Sha256("c")}};
    change(&manifest);
    const absl::StatusOr<Manifest> parsed = ParseManifest(EncodeManifest(manifest));
    return parsed.ok() ? CheckManifest(*parsed, UpdateModel()) : parsed.status();
  };
  EXPECT_THAT(verdict([](Manifest*) {}), IsOk());
  EXPECT_THAT(verdict([](Manifest* m) {
                m->segments.erase(m->segments.begin() + 1);
                m->segments[0].size = 16;
              }),
              IsOk());
  const absl::StatusCode bad = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(verdict([](Manifest* m) { m->segments[0].size = kWhole - 1; }), StatusIs(bad, HasSubstr("piece 1")));
  EXPECT_THAT(verdict([](Manifest* m) { m->segments[1].size = 16; }), StatusIs(bad));
  EXPECT_THAT(verdict([](Manifest* m) { m->segments[0].size = kWhole + 1; }), StatusIs(bad));
  EXPECT_THAT(verdict([](Manifest* m) { m->segments[1].count = 2; }), StatusIs(bad));
  EXPECT_THAT(verdict([](Manifest* m) { m->segments[1].block = 2; }), StatusIs(bad));
  EXPECT_THAT(verdict([](Manifest* m) { m->segments.erase(m->segments.begin(), m->segments.begin() + 2); }),
              StatusIs(bad, HasSubstr("must be segment 0")));
  EXPECT_THAT(verdict([](Manifest* m) {  // 2,065,536 bytes are four pieces
                m->segments.erase(m->segments.begin() + 1);
                for (uint32_t i = 1; i < 5; ++i)
                  m->segments.insert(m->segments.end() - 1, {0, i, 1, kWhole, Sha256("d")});
              }),
              StatusIs(bad, HasSubstr("at most 4 of")));
  // An ordinary tensor has no segment without a body.
  EXPECT_THAT(verdict([](Manifest* m) { m->segments[2].size = 16; }), StatusIs(bad));
}

TEST(UpdateFrameTest, FramesAreReadBackAndNothingElseIs) {
  std::string frame;
  AppendUpdateFrame(CodecId::kQuantized, 70'000, "some bytes", &frame);
  ASSERT_OK_AND_ASSIGN(const UpdatePiece piece, ReadUpdateFrame(frame, 70'000));
  EXPECT_EQ(piece.codec, CodecId::kQuantized);
  EXPECT_EQ(piece.bytes, "some bytes");
  EXPECT_THAT(ReadUpdateFrame(frame, 70'001), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("70001")));
  std::vector<float> values(70'000);
  EXPECT_THAT(DecodeFrame(frame, absl::MakeSpan(values)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("whole update")));
  frame.back() ^= 1;
  EXPECT_THAT(ReadUpdateFrame(frame, 70'000), StatusIs(absl::StatusCode::kDataLoss));
  std::string floats;
  ASSERT_THAT((*MakeCodec(CodecSpec::Fp32()))->Encode({1.0f}, 1, &floats), IsOk());
  EXPECT_THAT(ReadUpdateFrame(floats, 1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("codec 1")));
  EXPECT_THAT(MakeCodec(CodecSpec::Update(CodecId::kRdu)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(UpdateFrameTest, TheTensorsNameSaysOfHowManyValues) {
  EXPECT_EQ(UpdateTensorValues(UpdateTensorSpec(123)), 123u);
  for (const char* name : {"thinwire.update/", "thinwire.update/x", "thinwire.update/4294967296", "w"}) {
    EXPECT_EQ(UpdateTensorValues({name, {1}, DataType::kFloat32, TensorRole::kTrainable}), std::nullopt) << name;
  }
  EXPECT_EQ(UpdateTensorValues({"thinwire.update/5", {5}, DataType::kFloat32, TensorRole::kTrainable}), std::nullopt);
  EXPECT_EQ(UpdateTensorValues({"thinwire.update/5", {1}, DataType::kFloat32, TensorRole::kBuffer}), std::nullopt);
}

TEST(UpdateFrameTest, AnythingIsDescribed) {
  EXPECT_EQ(DescribeUpdate({CodecId::kQuantized, ""}), "quantized: unknown");
  EXPECT_EQ(DescribeUpdate({CodecId::kQuantized, absl::string_view("\x01\x01\xff\xff", 4)}), "quantized: top-k");
  EXPECT_EQ(DescribeUpdate({CodecId::kQuantized, absl::string_view("\x01\x03\x01\x01", 4)}), "quantized: qsgd");
  EXPECT_EQ(DescribeUpdate({CodecId::kRdu, "\x02\x01"}), "rdu fast");
  EXPECT_EQ(UpdateStep({CodecId::kRdu, absl::string_view("\x01\xff\xff", 3)}), 1);
}

}  // namespace
}  // namespace thinwire
