#include "common/tensor/safetensors.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/tensor/model_state.h"
#include "common/tensor/safetensors_header.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

std::string TestPath(const std::string& name) { return JoinPath(::testing::TempDir(), name); }

std::string FileOf(const std::string& json, const std::string& data) {
  std::string bytes;
  AppendLittle<uint64_t>(json.size(), &bytes);
  return bytes + json + data;
}

absl::Status OpenBytes(const std::string& bytes) {
  const std::string path = TestPath("bytes.safetensors");
  EXPECT_TRUE(WriteFileAtomically(path, bytes).ok());
  return SafetensorsReader::Open(path).status();
}

ModelState MixedModel() {
  absl::StatusOr<ModelSpec> spec = ModelSpec::Create({
      {"conv.weight", {3, 1, 257}, DataType::kFloat32, TensorRole::kTrainable},
      {"bn.running_mean", {3}, DataType::kFloat32, TensorRole::kBuffer},
      {"empty", {0, 4}, DataType::kFloat32, TensorRole::kTrainable},
      {"bn.num_batches_tracked", {}, DataType::kInt64, TensorRole::kBuffer},
      {"embedding", {kBlockValues + 5}, DataType::kFloat32, TensorRole::kFrozen},
      {"ids", {2, 2}, DataType::kInt64, TensorRole::kFrozen},
  });
  ModelState state(*std::move(spec));
  float value = -3.5f;
  for (auto& tensor : state.floats) {
    for (float& x : tensor) x = value += 0.37f;
  }
  state.floats[0][1] = -0.0f;
  state.ints[3] = {std::numeric_limits<int64_t>::min()};
  state.ints[5] = {1, -2, std::numeric_limits<int64_t>::max(), 4};
  return state;
}

void ExpectSameValues(const ModelState& state, SafetensorsReader& reader) {
  for (uint32_t i = 0; i < state.spec.tensors().size(); ++i) {
    std::vector<float> floats(state.floats[i].size());
    std::vector<int64_t> ints(state.ints[i].size());
    if (state.spec.tensors()[i].dtype == DataType::kFloat32) {
      ASSERT_TRUE(reader.ReadFloats(i, 0, absl::MakeSpan(floats)).ok());
    } else {
      ASSERT_TRUE(reader.ReadInts(i, 0, absl::MakeSpan(ints)).ok());
    }
    for (size_t k = 0; k < floats.size(); ++k) {
      ASSERT_EQ(FloatBits(floats[k]), FloatBits(state.floats[i][k])) << "tensor " << i << " value " << k;
    }
    EXPECT_EQ(ints, state.ints[i]);
  }
}

TEST(SafetensorsTest, WhatIsWrittenIsReadBackBitByBitWithRolesAndOrder) {
  const ModelState state = MixedModel();
  ModelStateSource source(state);
  const std::string path = TestPath("mixed.safetensors");
  ASSERT_TRUE(WriteSafetensors(path, state.spec, source).ok());
  absl::StatusOr<SafetensorsReader> reader = SafetensorsReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->spec(), state.spec);
  ExpectSameValues(state, *reader);
  EXPECT_FALSE(FileExists(path + ".tmp"));
}

TEST(SafetensorsTest, EveryTensorIsAlignedToItsValues) {
  std::vector<uint64_t> offsets;
  const ModelState state = MixedModel();
  const std::string json = FormatSafetensorsHeader(state.spec, &offsets);
  EXPECT_EQ(json.size() % 8, 0u);
  for (size_t i = 0; i < offsets.size(); ++i) {
    EXPECT_EQ(offsets[i] % (state.spec.tensors()[i].dtype == DataType::kInt64 ? 8 : 4), 0u) << i;
  }
}

TEST(SafetensorsTest, TheHashIsThatOfTheFileInWhateverOrderTheValuesCome) {
  const ModelState state = MixedModel();
  const std::string path = TestPath("order.safetensors");
  absl::StatusOr<SafetensorsWriter> writer = SafetensorsWriter::Create(path, state.spec);
  ASSERT_TRUE(writer.ok());
  for (uint32_t i = 0; i < state.spec.tensors().size(); ++i) {
    if (state.spec.tensors()[i].dtype == DataType::kFloat32) {
      ASSERT_TRUE(writer->WriteFloats(i, 0, state.floats[i]).ok());
    } else {
      ASSERT_TRUE(writer->WriteInts(i, 0, state.ints[i]).ok());
    }
  }
  ASSERT_TRUE(writer->Finish().ok());
  const absl::StatusOr<std::string> bytes = ReadWholeFile(path, 1 << 30);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*writer->Sha256OfFile(), Sha256(*bytes));
}

TEST(SafetensorsTest, AFileWithMissingValuesIsNotFinished) {
  const ModelState state = MixedModel();
  absl::StatusOr<SafetensorsWriter> writer = SafetensorsWriter::Create(TestPath("part.safetensors"), state.spec);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->WriteFloats(0, 0, state.floats[0]).ok());
  EXPECT_EQ(writer->Finish().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SafetensorsTest, BlocksOutsideTheirTensorAreRefused) {
  const ModelState state = MixedModel();
  ModelStateSource source(state);
  const std::string path = TestPath("outside.safetensors");
  ASSERT_TRUE(WriteSafetensors(path, state.spec, source).ok());
  absl::StatusOr<SafetensorsReader> reader = SafetensorsReader::Open(path);
  ASSERT_TRUE(reader.ok());
  std::vector<float> out(2);
  EXPECT_EQ(reader->ReadFloats(1, 2, absl::MakeSpan(out)).code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(reader->ReadFloats(1, ~uint64_t{0}, absl::MakeSpan(out)).code(), absl::StatusCode::kOutOfRange);
  EXPECT_FALSE(reader->ReadFloats(3, 0, absl::MakeSpan(out)).ok()) << "an integer tensor";
  EXPECT_FALSE(reader->ReadFloats(99, 0, absl::MakeSpan(out)).ok());
}

// Laid out as the Python library does: I64 first, then by name, header padded with spaces, other
// people's metadata.
TEST(SafetensorsTest, AFileLaidOutAsTheReferenceImplementationDoesIsRead) {
  const std::string path = absl::StrCat(THINWIRE_SOURCE_DIR, "/tests/golden/tensor/reference.safetensors");
  absl::StatusOr<SafetensorsReader> reader = SafetensorsReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  const std::vector<TensorSpec>& tensors = reader->spec().tensors();
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].name, "bn.num_batches_tracked");
  EXPECT_EQ(tensors[0].role, TensorRole::kBuffer) << "an integer tensor without a role";
  EXPECT_EQ(tensors[1].name, "bn.running_mean");
  EXPECT_EQ(tensors[1].role, TensorRole::kBuffer) << "named in the metadata";
  EXPECT_EQ(tensors[2].name, "fc.bias");
  EXPECT_EQ(tensors[3].name, "fc.weight");
  EXPECT_EQ(tensors[3].shape, (std::vector<int64_t>{2, 3}));
  std::vector<int64_t> batches(1);
  ASSERT_TRUE(reader->ReadInts(0, 0, absl::MakeSpan(batches)).ok());
  EXPECT_EQ(batches[0], 7);
  std::vector<float> weight(6);
  ASSERT_TRUE(reader->ReadFloats(3, 0, absl::MakeSpan(weight)).ok());
  EXPECT_EQ(weight, (std::vector<float>{0, 0.5f, 1, 1.5f, 2, -0.0f}));
  EXPECT_TRUE(std::signbit(weight[5]));
}

struct BadHeader {
  const char* json;
  const char* complaint;
};

class BadHeaderTest : public ::testing::TestWithParam<BadHeader> {};

TEST_P(BadHeaderTest, IsRefusedByName) {
  const absl::Status status = OpenBytes(FileOf(GetParam().json, std::string(16, '\0')));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << GetParam().json;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().complaint)) << GetParam().json;
  EXPECT_THAT(std::string(status.message()), HasSubstr("bytes.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadHeaderTest,
    ::testing::Values(
        BadHeader{"", "JSON"}, BadHeader{"[]", "JSON"}, BadHeader{"{\"a\":", "JSON"}, BadHeader{"{}", "1 to"},
        BadHeader{R"({"a":7})", "'a'"}, BadHeader{R"({"a":{"shape":[4],"data_offsets":[0,16]}})", "dtype"},
        BadHeader{R"({"a":{"dtype":"BF16","shape":[8],"data_offsets":[0,16]}})", "BF16"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})", "shape"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[4.0],"data_offsets":[0,16]}})", "shape"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,16]}})", "shape"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}})", "shape"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16,32]}})", "data_offsets"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})", "data_offsets"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}})", "ends at byte 20"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}})", "needs 12"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "16 bytes of values"},
        BadHeader{
            R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}})",
            "starts at byte 4"},
        BadHeader{
            R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
            "two tensors"},
        BadHeader{R"({"a b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "rename"},
        BadHeader{R"({"a\n":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "rename"},
        BadHeader{R"({"__metadata__":3,"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "__metadata__"},
        BadHeader{R"({"__metadata__":{"x":3},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "__metadata__"},
        BadHeader{R"({"__metadata__":{"thinwire.role.a":"x"},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
                  "role 'x'"},
        BadHeader{R"({"__metadata__":{"thinwire.order":"1"},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
                  "thinwire.order"},
        BadHeader{
            R"({"__metadata__":{"thinwire.role.a":"trainable"},"a":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})",
            "int64 and trainable"}));

TEST(SafetensorsTest, NoHeaderLengthIsBelieved) {
  EXPECT_EQ(OpenBytes("").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenBytes("1234567").code(), absl::StatusCode::kInvalidArgument);
  std::string huge;
  AppendLittle<uint64_t>(~uint64_t{0}, &huge);
  EXPECT_THAT(std::string(OpenBytes(huge + "{}").message()), HasSubstr("18446744073709551615"));
  EXPECT_EQ(SafetensorsReader::Open(TestPath("absent")).status().code(), absl::StatusCode::kNotFound);
}

TEST(SafetensorsTest, ATruncatedFileIsRefusedAtEveryLength) {
  const std::string whole = FileOf(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", std::string(16, 'x'));
  ASSERT_TRUE(OpenBytes(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(OpenBytes(whole.substr(0, size)).code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(SafetensorsTest, AWriteThatFailsLeavesTheOldFile) {
  class FailingSource : public BlockSource {
   public:
    absl::Status ReadFloats(uint32_t, uint64_t, absl::Span<float>) override { return absl::DataLossError("gone"); }
    absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) override { return absl::DataLossError("gone"); }
  };
  const std::string path = TestPath("kept.safetensors");
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  FailingSource source;
  EXPECT_EQ(WriteSafetensors(path, MixedModel().spec, source).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(*ReadWholeFile(path, 10), "old");
  EXPECT_FALSE(FileExists(path + ".tmp"));
}

}  // namespace
}  // namespace thinwire
