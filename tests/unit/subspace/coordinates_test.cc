#include "common/subspace/coordinates.h"

#include <set>

#include "common/base/file.h"
#include "common/codec/codec.h"
#include "common/subspace/basis_file.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/subspace/subspace_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

ModelSpec Model() {
  return *ModelSpec::Create({{"w", {300, 10}, DataType::kFloat32, TensorRole::kTrainable},
                             {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                             {"b", {100}, DataType::kFloat32, TensorRole::kTrainable},
                             {"steps", {}, DataType::kInt64, TensorRole::kBuffer}});
}

SubspacePlan Plan(uint64_t dimension, uint32_t vectors = 1) {
  SubspacePlan plan;
  plan.dimension = dimension;
  plan.vectors = vectors;
  return plan;
}

TEST(Coordinates, AVersionIsCoordinatesAndTheModelsBuffers) {
  const ModelSpec spec = CoordinatesSpec(Model(), Plan(50, 3));
  ASSERT_EQ(spec.tensors().size(), 3u);
  EXPECT_EQ(spec.tensors()[0].shape, (std::vector<int64_t>{3, 50}));
  EXPECT_EQ(spec.count(TensorRole::kTrainable), 150u);
  EXPECT_EQ(spec.tensors()[1].name, "mean");
  EXPECT_EQ(spec.tensors()[2].name, "steps");
  EXPECT_EQ(spec.tensors()[2].dtype, DataType::kInt64);
  EXPECT_EQ(CoordinatesUpdateSpec(Model(), Plan(50, 3)).count(TensorRole::kTrainable), 50u);
  EXPECT_EQ(CoordinatesUpdateSpec(Model(), Plan(50)), CoordinatesSpec(Model(), Plan(50)));
  EXPECT_EQ(BasisSpec(Model()).total_count(), 3100u);
}

TEST(Coordinates, ADownloadIsTheNumbersItHoldsAndAtMost200Bytes) {
  const ModelSpec model = *ModelSpec::Create({{"w", {100'000}, DataType::kFloat32, TensorRole::kTrainable}});
  const auto size = [](const ModelSpec& spec) {
    return *MaxPayloadSize(spec, Representation::kModel, CodecSpec::Fp32());
  };
  for (const uint32_t vectors : {1u, 4u}) {
    const SubspacePlan plan = Plan(2048, vectors);
    for (const uint64_t missed : {0u, 1u, 5u}) {
      const uint64_t bytes = size(CatchUpSpec(model, plan, CodecSpec::Fp32(), missed));
      EXPECT_LE(bytes, 4 * (missed + 1) * vectors * 2048 + 200);
      EXPECT_GT(bytes, 4 * (missed + 1) * vectors * 2048);
    }
    EXPECT_LE(size(CoordinatesUpdateSpec(model, plan)), 4u * 2048 + 200);
  }
}

TEST(Coordinates, FourBitsAreSevenTimesFewerBytes) {
  const ModelSpec model = *ModelSpec::Create({{"w", {100'000}, DataType::kFloat32, TensorRole::kTrainable}});
  for (const char* codec : {"s1e2m1/64", "s1e2m1/4096", "s1e2m1"}) {
    const auto size = [&](const CodecSpec& spec) {
      return *MaxPayloadSize(CoordinatesUpdateSpec(model, Plan(8192)), Representation::kDelta, spec);
    };
    EXPECT_GE(size(CodecSpec::Fp32()), 7 * size(*CodecSpec::Parse(codec))) << codec;
  }
}

// Whatever a vector's company in a payload, it decodes to what it decodes to alone: both ends fold the same.
TEST(Coordinates, CatchingUpDecodesToTheVersionsThemselves) {
  TemporaryDirectory folder;
  const ModelSpec model = Model();
  for (const char* text : {"fp32", "s1e4m3:none", "s1e3m2", "s1e3m2:absmax", "s1e3m2/64", "s1e3m2/4096+correction"}) {
    const CodecSpec codec = *CodecSpec::Parse(text);
    for (const SubspacePlan& plan : {Plan(100, 2), Plan(2048, 2)}) {
      ModelState versions[3] = {ModelState(CoordinatesSpec(model, plan)), ModelState(CoordinatesSpec(model, plan)),
                                ModelState(CoordinatesSpec(model, plan))};
      std::vector<std::vector<float>> alone;
      for (int i = 0; i < 3; ++i) {
        versions[i].floats[0] = RandomValues(static_cast<uint64_t>(i), plan.vectors * plan.dimension);
        for (float& value : versions[i].floats[0]) value *= i == 1 ? 100.0f : 1.0f;  // scales of their own
        ModelStateSource source(versions[i]);
        const std::string path = folder.Path("alone");
        ASSERT_OK_AND_ASSIGN(const PayloadRef ref,
                             EncodePayload(versions[i].spec, {Representation::kModel, codec, {}}, source, path));
        ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(path, ref, versions[i].spec));
        PayloadSource decoded(reader);
        ASSERT_OK_AND_ASSIGN(const auto vectors, ReadCoordinates(decoded, versions[i].spec, plan, 0));
        alone.insert(alone.end(), vectors.begin(), vectors.end());
      }
      const ModelSpec spec = CatchUpSpec(model, plan, codec, 2);
      ModelState together(spec);
      for (uint64_t i = 0; i < 3; ++i) {
        const CoordinatesPlace place = PlaceOfEpoch(spec, plan, i);
        std::copy(versions[i].floats[0].begin(), versions[i].floats[0].end(),
                  together.floats[place.tensor].begin() + static_cast<ptrdiff_t>(place.first));
      }
      ModelStateSource source(together);
      const std::string path = folder.Path("together");
      ASSERT_OK_AND_ASSIGN(const PayloadRef ref,
                           EncodePayload(spec, {Representation::kModel, codec, {}}, source, path));
      ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(path, ref, spec));
      PayloadSource decoded(reader);
      for (uint64_t i = 0; i < 3; ++i) {
        ASSERT_OK_AND_ASSIGN(const auto vectors, ReadCoordinates(decoded, spec, plan, i));
        for (size_t k = 0; k < 2; ++k) EXPECT_TRUE(SameBits(vectors[k], alone[2 * i + k])) << text << " " << i;
      }
    }
  }
}

// What a server sends, by comparing bytes, every client takes.
TEST(Coordinates, NoCatchUpOfFewerBytesThanThetaIsOfMoreThanTheMostEpochs) {
  for (const char* text : {"s1e2m0:none", "s1e2m0", "s1e2m1/64", "fp32"}) {
    const CodecSpec codec = *CodecSpec::Parse(text);
    for (const uint64_t dimension : {7, 100, 3000}) {
      for (const uint32_t vectors : {1u, 3u}) {
        const SubspacePlan plan = Plan(dimension, vectors);
        const auto bytes = [](const ModelSpec& spec, const CodecSpec& as) {
          return *MaxPayloadSize(spec, Representation::kModel, as);
        };
        const uint64_t whole = bytes(BasisSpec(Model()), CodecSpec::Fp32());
        const uint64_t own = bytes(CatchUpSpec(Model(), plan, codec, 0), codec);
        uint64_t sent = 0;
        while (bytes(CatchUpSpec(Model(), plan, codec, sent + 1), codec) - own <= whole) ++sent;
        EXPECT_LE(sent, MostMissedEpochs(Model(), plan)) << text << ", d = " << dimension << ", K = " << vectors;
      }
    }
  }
}

TEST(Coordinates, ACatchUpNeverHasMoreTensorsThanAPayload) {
  const ModelSpec large = *ModelSpec::Create({{"w", {10'000'000}, DataType::kFloat32, TensorRole::kTrainable},
                                              {"mean", {5}, DataType::kFloat32, TensorRole::kBuffer}});
  const uint64_t most = MostMissedEpochs(large, Plan(1));
  EXPECT_EQ(CatchUpSpec(large, Plan(1), *CodecSpec::Parse("s1e2m0"), most).tensors().size(), ModelSpec::kMaxTensors);
}

TEST(Coordinates, WhatDoesNotFitIsRefusedByName) {
  const auto refusal = [](const SubspacePlan& plan, const ModelSpec& model) {
    return std::string(CheckSubspaceFits(plan, model).message());
  };
  EXPECT_THAT(CheckSubspaceFits(Plan(3100), Model()), IsOk());
  EXPECT_THAT(refusal(Plan(3101), Model()), HasSubstr("3101, but the model has only 3100 trainable values"));
  EXPECT_THAT(CheckSubspaceFits(Plan(775, 4), Model()), IsOk());
  EXPECT_THAT(refusal(Plan(776, 4), Model()), HasSubstr("4 and subspace.dimension 776, which makes 3104 numbers"));
  EXPECT_THAT(refusal(Plan(3100, 64), Model()), HasSubstr("only 3100 trainable values"));
  EXPECT_THAT(refusal(Plan(0), Model()), HasSubstr("subspace.dimension is 0"));
  EXPECT_THAT(refusal(Plan(10, 65), Model()), HasSubstr("subspace.vectors is 65"));
  SubspacePlan blocks = Plan(100);
  blocks.block_size = 64;
  EXPECT_THAT(refusal(blocks, Model()), HasSubstr("blocks of 64 values"));
  const ModelSpec frozen = *ModelSpec::Create({{"w", {100}, DataType::kFloat32, TensorRole::kTrainable},
                                               {"table", {5}, DataType::kFloat32, TensorRole::kFrozen}});
  EXPECT_THAT(refusal(Plan(10), frozen), HasSubstr("5 frozen values"));
}

TEST(Coordinates, SeedsOfEpochsAndVectorsDifferAndClientsSpread) {
  const SubspacePlan plan = Plan(10, 4);
  std::set<uint64_t> seeds;
  for (const uint64_t epoch : {0, 1}) {
    ASSERT_OK_AND_ASSIGN(const std::vector<Fastfood> matrices, MatricesOfEpoch(plan, 3100, 3, epoch));
    for (const Fastfood& matrix : matrices) seeds.insert(matrix.spec().seed);
  }
  EXPECT_EQ(seeds.size(), 8u);
  int of[4] = {};
  for (int i = 0; i < 400; ++i) ++of[VectorOfClient(plan, 3, 7, "client-" + std::to_string(i))];
  for (const int count : of) EXPECT_GT(count, 60);
}

TEST(Coordinates, AClientTrainsInAllVectorsAsRoundsGoBy) {
  const SubspacePlan plan = Plan(10, 4);
  int of[4] = {};
  bool by_seed = false;
  for (uint32_t round = 1; round <= 400; ++round) {
    const uint32_t vector = VectorOfClient(plan, 3, round, "client");
    ++of[vector];
    EXPECT_EQ(VectorOfClient(plan, 3, round, "client"), vector);
    by_seed |= VectorOfClient(plan, 4, round, "client") != vector;
  }
  for (const int count : of) EXPECT_GT(count, 60);
  EXPECT_TRUE(by_seed);
}

class BasisFileTest : public ::testing::Test {
 protected:
  std::string Write(const std::vector<float>& values) {
    const std::string path = folder_.Path("theta");
    EXPECT_THAT(WriteBasis(path, values.size(),
                           [&](uint64_t first, absl::Span<float> out) {
                             std::copy_n(values.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
                             return absl::OkStatus();
                           }),
                IsOk());
    return path;
  }
  TemporaryDirectory folder_;
};

// Over several blocks of the file and of the matrix, against the definition.
TEST_F(BasisFileTest, FoldingAddsEveryVectorsProductInOrder) {
  constexpr uint64_t kSize = 150'000;
  const std::vector<float> theta = RandomValues(1, kSize);
  const std::string path = Write(theta);
  for (const uint64_t block : {uint64_t{0}, uint64_t{4096}}) {
    SubspacePlan plan = Plan(1000, 3);
    plan.block_size = block;
    ASSERT_OK_AND_ASSIGN(const std::vector<Fastfood> matrices, MatricesOfEpoch(plan, kSize, 5, 2));
    std::vector<float> expected = theta;
    std::vector<std::vector<float>> vectors;
    for (size_t k = 0; k < 3; ++k) {
      vectors.push_back(RandomValues(10 + k, 1000));
      const std::vector<float> product = Apply(matrices[k], vectors[k]);
      for (size_t i = 0; i < kSize; ++i) expected[i] += product[i];
    }
    const std::string next = folder_.Path("next");
    ASSERT_OK_AND_ASSIGN(const Digest digest, FoldBasis(path, matrices, vectors, next));
    ASSERT_OK_AND_ASSIGN(const BasisFile file, BasisFile::Open(next, kSize));
    std::vector<float> folded(kSize);
    ASSERT_THAT(file.Read(0, absl::MakeSpan(folded)), IsOk());
    EXPECT_TRUE(SameBits(folded, expected));
    EXPECT_EQ(*file.Hash(), digest);
    EXPECT_EQ(Sha256(*ReadWholeFile(next, 1 << 20)), digest);
  }
}

TEST_F(BasisFileTest, AFileOfAnotherSizeAndResultsThatAreNotFiniteAreRefused) {
  const std::string path = Write({1, 2, 3e38f, 4});
  EXPECT_THAT(BasisFile::Open(path, 5), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("has 16 bytes")));
  ASSERT_OK_AND_ASSIGN(const std::vector<Fastfood> matrices, MatricesOfEpoch(Plan(1), 4, 5, 0));
  EXPECT_THAT(FoldBasis(path, matrices, {{3e38f}}, folder_.Path("next")), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace thinwire
