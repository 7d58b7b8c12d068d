// The model store of a run in a subspace.
#include <string>
#include <vector>

#include "common/subspace/basis_file.h"
#include "common/subspace/coordinates.h"
#include "tests/unit/store/store_fixture.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SubspaceStoreTest : public ::testing::Test {
 protected:
  SubspaceStoreTest() : model_(SmallModel(/*with_frozen=*/false)) {
    plan_.dimension = 20;
    plan_.epoch_rounds = 2;
    WriteModel(model_, directory_.Path("initial.safetensors"));
  }

  void Open(uint32_t keep = 2) {
    state_ = State();  // the lock goes first
    state_ = State::Open(directory_.path(), keep, CodecSpec::Fp32(), plan_);
    if (!state_.models->Latest().has_value()) {
      ASSERT_THAT(state_.models->ImportSafetensors(directory_.Path("initial.safetensors")), IsOk());
    }
  }

  // A round of one update that moves every coordinate by `step`.
  VersionRow Publish(float step, StrategyOptions strategy = {}) {
    const uint64_t base = state_.models->Latest()->version;
    const std::unique_ptr<Accumulator> sums = NewAccumulator(*state_.models->spec());
    EXPECT_THAT(sums->Admit(1), IsOk());
    sums->AddFloats(0, 0, std::vector<float>(plan_.vectors * plan_.dimension, step), 1);
    sums->MaxInts(2, 0, {7});
    sums->CountUpdate(1);
    PublishVersion request;
    request.base_version = base;
    request.new_version = base + 1;
    request.aggregate = sums.get();
    request.strategy = strategy;
    request.round = ClosedRound(static_cast<uint32_t>(base + 1));
    absl::StatusOr<VersionRow> row = state_.models->Publish(request);
    EXPECT_THAT(row, IsOk());
    return row.value_or(VersionRow());
  }

  // theta as the definition says, from epochs that each ended with all coordinates at these values.
  std::vector<float> Theta(const std::vector<float>& sums) {
    std::vector<float> theta = model_.floats[0];
    for (size_t epoch = 0; epoch < sums.size(); ++epoch) {
      const std::vector<Fastfood> matrices = *MatricesOfEpoch(plan_, theta.size(), 0, epoch);
      for (const Fastfood& matrix : matrices) {
        FastfoodWorkspace workspace = *FastfoodWorkspace::Create(matrix);
        EXPECT_THAT(matrix.Apply(std::vector<float>(plan_.dimension, sums[epoch]), &workspace,
                                 [&](uint64_t first, absl::Span<const float> values) {
                                   for (size_t i = 0; i < values.size(); ++i) theta[first + i] += values[i];
                                   return absl::OkStatus();
                                 }),
                    IsOk());
      }
    }
    return theta;
  }
  std::vector<float> Exported(uint64_t version) {
    absl::StatusOr<File> file = state_.models->OpenWeights(version);
    EXPECT_THAT(file, IsOk());
    std::string bytes(*file->Size(), '\0');
    EXPECT_THAT(file->ReadAt(0, bytes.size(), &bytes[0]), IsOk());
    EXPECT_THAT(WriteFileAtomically(directory_.Path("copy"), bytes), IsOk());
    SafetensorsReader reader = *SafetensorsReader::Open(directory_.Path("copy"));
    EXPECT_EQ(reader.spec(), model_.spec);
    std::vector<float> values(100);
    EXPECT_THAT(reader.ReadFloats(0, 0, absl::MakeSpan(values)), IsOk());
    return values;
  }
  // Of a version of equal coordinates, one of them.
  float CoordinateOfLatest() {
    const auto payload = state_.models->FindPayload(state_.models->Latest()->downlink.id).value();
    PayloadSource source(payload->reader());
    return ReadCoordinates(source, *state_.models->spec(), plan_, 0).value()[0][0];
  }
  HeldBasis Held(uint64_t epoch) {
    const std::vector<BasisRow> rows = state_.journal->Bases().value();
    for (const BasisRow& row : rows) {
      if (row.epoch == epoch) return {epoch, row.sha256};
    }
    return {};
  }

  TemporaryDirectory directory_;
  ModelState model_;
  SubspacePlan plan_;
  State state_;
};

TEST_F(SubspaceStoreTest, VersionsAreCoordinatesAndExportsAreTheModel) {
  Open();
  EXPECT_EQ(*state_.models->spec(), CoordinatesSpec(model_.spec, plan_));
  EXPECT_EQ(*state_.models->model(), model_.spec);
  EXPECT_EQ(Exported(0), Theta({0}));
  const VersionRow row = Publish(0.5f);
  EXPECT_LE(row.downlink.total_size, 4u * 20 + 200 + 2 * 64 + 4 * 4 + 8);
  EXPECT_EQ(Exported(1), Theta({0.5f}));
  ASSERT_OK_AND_ASSIGN(const std::string path, state_.models->Export());
  EXPECT_THAT(path, HasSubstr("model-v1.safetensors"));
}

TEST_F(SubspaceStoreTest, AnEpochsEndFoldsItsCoordinatesIntoTheNextBasis) {
  Open();
  for (int round = 0; round < 5; ++round) Publish(0.25f);
  EXPECT_EQ(Exported(5), Theta({0.5f, 0.5f, 0.25f}));
  ASSERT_OK_AND_ASSIGN(const std::vector<BasisRow> rows, state_.journal->Bases());
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].first_version, 2u);
  EXPECT_EQ(rows[2].first_version, 4u);
  // The first version of an epoch has not moved.
  ASSERT_OK_AND_ASSIGN(const BasisFile basis, BasisFile::Open(directory_.Path("bases/b00000002.basis"), 100));
  EXPECT_EQ(*basis.Hash(), rows[2].sha256);
  EXPECT_EQ(Exported(4), Theta({0.5f, 0.5f, 0}));
}

TEST_F(SubspaceStoreTest, MomentumDoesNotPassFromOneBasisToTheNext) {
  StrategyOptions momentum;
  momentum.kind = StrategyOptions::Kind::kFedAvgM;
  Open();
  for (int round = 0; round < 3; ++round) Publish(1.0f, momentum);
  EXPECT_EQ(Exported(3), Theta({1.0f + 1.9f, 1.0f}));
}

TEST_F(SubspaceStoreTest, MomentsDoNotPassFromOneBasisToTheNext) {
  StrategyOptions adam;
  adam.kind = StrategyOptions::Kind::kFedAdam;
  plan_.epoch_rounds = 3;
  Open();
  std::vector<float> moved;
  for (int round = 0; round < 6; ++round) {
    Publish(round % 3 == 0 ? 1.0f : 0.25f, adam);
    moved.push_back(CoordinateOfLatest());
  }
  // Versions 3 and 6 begin epochs.
  EXPECT_EQ(moved[2], 0);
  EXPECT_GT(moved[0], 0);
  EXPECT_GT(moved[1], moved[0]);
  EXPECT_EQ(moved[3], moved[0]);
  EXPECT_EQ(moved[4], moved[1]);
}

TEST_F(SubspaceStoreTest, ARestartGoesOnInTheSameEpoch) {
  Open();
  for (int round = 0; round < 3; ++round) Publish(0.25f);
  Open();
  EXPECT_EQ(*state_.models->model(), model_.spec);
  EXPECT_TRUE(state_.models->recovery().damaged.empty());
  Publish(0.25f);
  EXPECT_EQ(Exported(4), Theta({0.5f, 0.5f, 0}));
}

TEST_F(SubspaceStoreTest, ClientsAreSentWhicheverIsFewestBytes) {
  Open();
  for (int round = 0; round < 24; ++round) Publish(0.25f);  // 12 epochs of 20 numbers; the model has 100
  ASSERT_OK_AND_ASSIGN(const BasisDelivery now, state_.models->DeliveryTo(24, Held(12)));
  EXPECT_EQ(now.epoch, 12u);
  EXPECT_EQ(now.missed, 0u);
  EXPECT_EQ(now.snapshot, nullptr);
  ASSERT_OK_AND_ASSIGN(const BasisDelivery few, state_.models->DeliveryTo(24, Held(9)));
  EXPECT_EQ(few.missed, 3u);
  EXPECT_EQ(few.snapshot, nullptr);
  ASSERT_OK_AND_ASSIGN(const BasisDelivery many, state_.models->DeliveryTo(24, Held(2)));
  EXPECT_EQ(many.missed, 0u);
  EXPECT_NE(many.snapshot, nullptr);
  for (const std::optional<HeldBasis>& held :
       {std::optional<HeldBasis>(), std::optional<HeldBasis>(HeldBasis{11, Sha256("another run")}),
        std::optional<HeldBasis>(HeldBasis{13, Sha256("the future")})}) {
    ASSERT_OK_AND_ASSIGN(const BasisDelivery whole, state_.models->DeliveryTo(24, held));
    EXPECT_NE(whole.snapshot, nullptr);
    EXPECT_EQ(state_.models->FindPayload(whole.snapshot->ref().id).value(), whole.snapshot);
  }
  EXPECT_THAT(state_.models->DeliveryTo(25, std::nullopt), StatusIs(absl::StatusCode::kNotFound));
  // The payload of a client that missed epochs brings it to the server's own theta.
  ASSERT_OK_AND_ASSIGN(const auto payload, state_.models->Variant(24, 3));
  const ModelSpec spec = CatchUpSpec(model_.spec, plan_, CodecSpec::Fp32(), 3);
  PayloadSource source(payload->reader());
  for (uint64_t place = 0; place < 3; ++place) {
    ASSERT_OK_AND_ASSIGN(const auto vectors, ReadCoordinates(source, spec, plan_, place));
    EXPECT_EQ(vectors[0], std::vector<float>(20, 0.5f));
  }
}

TEST_F(SubspaceStoreTest, HistoryThatIsLostCostsTheWholeModelAndNoMore) {
  Open();
  for (int round = 0; round < 6; ++round) Publish(0.25f);
  ASSERT_THAT(RemoveFile(directory_.Path("bases/f00000001.basis")), IsOk());
  Open();
  EXPECT_THAT(state_.models->recovery().damaged, ElementsAre(HasSubstr("last coordinates of epoch 1")));
  ASSERT_OK_AND_ASSIGN(const BasisDelivery recent, state_.models->DeliveryTo(6, Held(2)));
  EXPECT_EQ(recent.missed, 1u);
  ASSERT_OK_AND_ASSIGN(const BasisDelivery older, state_.models->DeliveryTo(6, Held(1)));
  EXPECT_NE(older.snapshot, nullptr);
}

TEST_F(SubspaceStoreTest, ADamagedSnapshotIsMadeAnewAndADamagedBasisIsNamed) {
  Open();
  for (int round = 0; round < 2; ++round) Publish(0.25f);
  const std::string snapshot = directory_.Path("bases/b00000001.payload");
  const std::string before = *ReadWholeFile(snapshot, 1 << 20);
  DamageLastByte(snapshot);
  Open();
  EXPECT_EQ(*ReadWholeFile(snapshot, 1 << 20), before);
  state_ = State();
  DamageLastByte(directory_.Path("bases/b00000001.basis"));
  ASSERT_OK_AND_ASSIGN(const auto journal, Journal::Open(directory_.Path("journal.db")));
  EXPECT_THAT(ModelStore::Open({directory_.path(), CodecSpec::Fp32(), 2, 0, plan_}, journal.get()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("theta of epoch 1")));
}

TEST_F(SubspaceStoreTest, AVersionThatIsRevokedTakesTheEpochThatItBeganWithIt) {
  Open();
  for (int round = 0; round < 2; ++round) Publish(0.25f);
  DamageLastByte(directory_.Path("versions/v00000002.safetensors"));
  Open();
  EXPECT_EQ(state_.models->recovery().revoked_version, 2u);
  EXPECT_EQ(state_.models->Latest()->version, 1u);
  Publish(0.5f);
  EXPECT_EQ(Exported(2), Theta({0.75f, 0}));
}

TEST_F(SubspaceStoreTest, OldBasesGoWithTheVersionsThatNeededThem) {
  Open(/*keep=*/1);
  for (int round = 0; round < 5; ++round) Publish(0.25f);
  EXPECT_THAT(
      *ListDirectory(directory_.Path("bases")),
      ElementsAre("b00000002.basis", "b00000002.payload", "f00000000.basis", "f00000001.basis", "theta0.safetensors"));
}

TEST_F(SubspaceStoreTest, AModelThatThePlanDoesNotFitIsRefused) {
  plan_.dimension = 101;
  state_ = State::Open(directory_.path(), 2, CodecSpec::Fp32(), plan_);
  EXPECT_THAT(state_.models->ImportSafetensors(directory_.Path("initial.safetensors")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("only 100 trainable values")));
}

}  // namespace
}  // namespace thinwire
