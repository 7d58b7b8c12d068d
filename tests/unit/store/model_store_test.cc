#include "server/store/model_store.h"

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/store/store_fixture.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelStoreTest : public ::testing::Test {
 protected:
  ModelStoreTest() : model_(SmallModel()) {
    WriteModel(model_, initial());
    state_ = State::Open(directory());
  }
  const std::string& directory() const { return directory_.path(); }
  std::string initial() const { return JoinPath(directory(), "initial.safetensors"); }
  std::string PathOf(const std::string& folder, const std::string& name) const {
    return JoinPath(JoinPath(directory(), folder), name);
  }
  std::vector<std::string> Names(const std::string& folder) const {
    return *ListDirectory(JoinPath(directory(), folder));
  }
  void Reopen(uint32_t keep = 2) {
    state_ = State();
    state_ = State::Open(directory(), keep);
  }
  void Import() { ASSERT_THAT(state_.models->ImportSafetensors(initial()), IsOk()); }

  TemporaryDirectory directory_;
  ModelState model_;
  State state_;
};

TEST_F(ModelStoreTest, AnEmptyDirectoryHasNothingToGive) {
  EXPECT_EQ(state_.models->spec(), nullptr);
  EXPECT_EQ(state_.models->Latest(), std::nullopt);
  EXPECT_EQ(state_.models->Frozen(), nullptr);
  EXPECT_THAT(state_.models->Downlink(0), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(state_.models->FindPayload(Sha256("x")), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(state_.models->OpenWeights(0), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(state_.models->Export(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(state_.models->Retain({}), IsOk());
}

// Partial quantisation: of four variants each leaves other row blocks exact.
class VariantsTest : public ::testing::Test {
 protected:
  VariantsTest() : model_(Large()) { Open(); }

  static ModelState Large() {
    ModelState state(*ModelSpec::Create({{"w", {100, 300}, DataType::kFloat32, TensorRole::kTrainable}}));
    for (size_t i = 0; i < state.floats[0].size(); ++i) state.floats[0][i] = static_cast<float>(i % 997) / 997.0f;
    return state;
  }
  void Open() {
    state_ = State();
    state_ = State::Open(directory_.path(), 1, *CodecSpec::Parse("s1e3m7/4096+weights+partial=0.25"));
  }
  void Import() {
    const std::string initial = directory_.Path("initial.safetensors");
    WriteModel(model_, initial);
    ASSERT_THAT(state_.models->ImportSafetensors(initial), IsOk());
  }
  std::vector<std::string> Payloads() const { return *ListDirectory(directory_.Path("payloads")); }
  std::string BytesOf(uint32_t variant) {
    const auto payload = state_.models->Variant(0, variant);
    EXPECT_THAT(payload, IsOk());
    std::string bytes((*payload)->ref().total_size, '\0');
    EXPECT_THAT((*payload)->ReadAt(0, bytes.size(), &bytes[0]), IsOk());
    return bytes;
  }

  TemporaryDirectory directory_;
  const ModelState model_;
  State state_;
};

TEST_F(VariantsTest, EachIsMadeWhenItIsWantedAndFoundByItsId) {
  Import();
  EXPECT_EQ(state_.models->variants(), 4u);
  EXPECT_NE(state_.models->FindVariant(0, 0), nullptr);
  EXPECT_EQ(state_.models->FindVariant(0, 0), *state_.models->Downlink(0));
  EXPECT_EQ(state_.models->FindVariant(0, 2), nullptr);
  ASSERT_OK_AND_ASSIGN(const auto made, state_.models->Variant(0, 2));
  EXPECT_EQ(state_.models->FindVariant(0, 2), made);
  ASSERT_OK_AND_ASSIGN(const auto found, state_.models->FindPayload(made->ref().id));
  EXPECT_EQ(found, made);
  EXPECT_THAT(Payloads(), ElementsAre("v00000000.2.payload", "v00000000.payload"));
  EXPECT_THAT(state_.models->Variant(1, 2), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(VariantsTest, TogetherTheyLeaveEveryRowBlockExactOnce) {
  Import();
  std::vector<int> exact(RowBlockCount(model_.floats[0].size()), 0);
  for (uint32_t variant = 0; variant < 4; ++variant) {
    ASSERT_OK_AND_ASSIGN(const auto payload, state_.models->Variant(0, variant));
    ASSERT_OK_AND_ASSIGN(const RowBlockSet set, ExactRowBlocks(model_.spec, payload->reader()));
    for (size_t i = 0; i < exact.size(); ++i) exact[i] += set.Has(0, i);
  }
  EXPECT_THAT(exact, ::testing::Each(1));
}

TEST_F(VariantsTest, AfterARestartTheyAreMadeAgainBitForBit) {
  Import();
  std::vector<std::string> before;
  for (uint32_t variant = 0; variant < 4; ++variant) before.push_back(BytesOf(variant));
  Open();
  EXPECT_THAT(Payloads(), ElementsAre("v00000000.payload"));
  for (uint32_t variant = 0; variant < 4; ++variant) EXPECT_EQ(BytesOf(variant), before[variant]) << variant;
}

TEST_F(VariantsTest, TheyGoWithTheirVersionAndStayReadable) {
  Import();
  ASSERT_OK_AND_ASSIGN(const auto old, state_.models->Variant(0, 3));
  const std::unique_ptr<Accumulator> accumulator = NewAccumulator(model_.spec);
  ASSERT_THAT(accumulator->Admit(1), IsOk());
  accumulator->CountUpdate(1);
  PublishVersion request;
  request.new_version = 1;
  request.aggregate = accumulator.get();
  request.round = ClosedRound(1);
  ASSERT_THAT(state_.models->Publish(request), IsOk());
  EXPECT_THAT(Payloads(), ElementsAre("v00000001.payload"));
  EXPECT_THAT(state_.models->FindPayload(old->ref().id), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(old->Verify(), IsOk());
  // The same weights, but the next version leaves other row blocks exact.
  ASSERT_OK_AND_ASSIGN(const auto next, state_.models->Variant(1, 3));
  EXPECT_NE(next->ref().id, old->ref().id);
}

TEST_F(VariantsTest, ManyWhoWantOneAtTheSameTimeGetTheSame) {
  Import();
  std::vector<std::shared_ptr<const StoredPayload>> got(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < got.size(); ++i) {
    threads.emplace_back([this, i, &got] { got[i] = state_.models->Variant(0, 1).value_or(nullptr); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_NE(got[0], nullptr);
  EXPECT_THAT(got, ::testing::Each(got[0]));
}

TEST_F(ModelStoreTest, InitialWeightsFromAFileAreVersion0BitByBit) {
  ASSERT_OK_AND_ASSIGN(const VersionRow row, state_.models->ImportSafetensors(initial()));
  EXPECT_EQ(row.version, 0u);
  EXPECT_EQ(*state_.models->spec(), model_.spec);
  const std::string weights = PathOf("versions", "v00000000.safetensors");
  EXPECT_EQ(*ReadWholeFile(weights, 1 << 20), *ReadWholeFile(initial(), 1 << 20));
  EXPECT_EQ(row.weights_sha256, Sha256(*ReadWholeFile(weights, 1 << 20)));
  EXPECT_EQ(row.fp32_downlink_size, *MaxPayloadSize(model_.spec, Representation::kModel, CodecSpec::Fp32()));
  EXPECT_THAT(Names("versions"), ElementsAre("v00000000.safetensors"));
  EXPECT_THAT(Names("payloads"), ElementsAre("frozen.payload", "v00000000.payload"));
  EXPECT_THAT(state_.models->ImportSafetensors(initial()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ModelStoreTest, PayloadsAreFoundByIdAndReadByOffset) {
  Import();
  ASSERT_OK_AND_ASSIGN(const auto downlink, state_.models->Downlink(0));
  ASSERT_OK_AND_ASSIGN(const auto same, state_.models->FindPayload(downlink->ref().id));
  EXPECT_EQ(same, downlink);
  EXPECT_EQ(*state_.models->FindPayload(state_.models->Frozen()->ref().id), state_.models->Frozen());
  const std::string whole = *ReadWholeFile(PathOf("payloads", "v00000000.payload"), 1 << 20);
  EXPECT_EQ(whole.size(), downlink->ref().total_size);
  std::string part(100, '\0');
  ASSERT_THAT(downlink->ReadAt(50, part.size(), &part[0]), IsOk());
  EXPECT_EQ(part, whole.substr(50, 100));
  EXPECT_THAT(downlink->ReadAt(whole.size() - 1, 2, &part[0]), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(ModelStoreTest, WeightsThatAreNotFiniteAreRefusedByName) {
  for (const uint32_t tensor : {0u, 1u, 3u}) {
    ModelState bad = SmallModel();
    bad.floats[tensor][2] = std::numeric_limits<float>::infinity();
    WriteModel(bad, initial());
    EXPECT_THAT(state_.models->ImportSafetensors(initial()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(bad.spec.tensors()[tensor].name)));
    EXPECT_EQ(state_.models->Frozen(), nullptr);
    EXPECT_THAT(Names("versions"), IsEmpty());
  }
  WriteModel(model_, initial());
  Import();
}

TEST_F(ModelStoreTest, AFileThatIsNoModelIsRefused) {
  ASSERT_THAT(WriteFileAtomically(initial(), "hello"), IsOk());
  EXPECT_THAT(state_.models->ImportSafetensors(initial()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("initial.safetensors")));
}

TEST_F(ModelStoreTest, InitialWeightsFromAClientSettleItsAssignment) {
  const ModelState sent = SmallModel(/*with_frozen=*/false);
  ModelStateSource source(sent);
  const std::string path = JoinPath(directory(), "upload");
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref,
                       EncodePayload(sent.spec, {Representation::kModel, CodecSpec::Fp32(), {}}, source, path));
  AssignmentRecord assignment;
  assignment.id = "init-1-a";
  assignment.kind = WorkKind::kInitialize;
  ASSERT_THAT(state_.journal->PutAssignments({assignment}), IsOk());
  EXPECT_THAT(state_.models->ImportPayload(path, ref, sent.spec, assignment.id),
              StatusIs(absl::StatusCode::kFailedPrecondition))
      << "the update was never received";
  UpdateRow update;
  update.assignment = assignment;
  update.payload = ref;
  ASSERT_THAT(state_.journal->ReceiveUpdate(update), IsOk());
  ASSERT_THAT(state_.models->ImportPayload(path, ref, sent.spec, assignment.id), IsOk());
  EXPECT_EQ((*state_.journal->FindAssignment(assignment.id))->assignment.state, AssignmentState::kFolded);
  ASSERT_OK_AND_ASSIGN(SafetensorsReader reader, SafetensorsReader::Open(PathOf("versions", "v00000000.safetensors")));
  std::vector<float> w(100);
  ASSERT_THAT(reader.ReadFloats(0, 0, absl::MakeSpan(w)), IsOk());
  EXPECT_EQ(w, sent.floats[0]);
}

TEST_F(ModelStoreTest, InitialWeightsThatAreNotAnExactModelAreRefused) {
  const ModelState sent = SmallModel(/*with_frozen=*/false);
  ModelStateSource source(sent);
  const std::string path = JoinPath(directory(), "upload");
  const auto refusal = [&](const EncodeOptions& options) {
    const absl::StatusOr<PayloadRef> ref = EncodePayload(sent.spec, options, source, path);
    EXPECT_THAT(ref, IsOk());
    return state_.models->ImportPayload(path, *ref, sent.spec, "a").status();
  };
  const CodecSpec small = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  EXPECT_THAT(refusal({Representation::kModel, small, {}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("FP32")));
  EXPECT_THAT(refusal({Representation::kDelta, CodecSpec::Fp32(), Sha256("base")}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("whole model")));
  EXPECT_THAT(state_.models->ImportPayload(path, {}, model_.spec, "a"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("frozen")));
}

TEST_F(ModelStoreTest, PublishingMovesTheWeightsClosesTheRoundAndSurvives) {
  Import();
  ASSERT_OK_AND_ASSIGN(const VersionRow row, PublishNext(state_, 0.5f));
  EXPECT_EQ(row.version, 1u);
  EXPECT_EQ(row.round, 1u);
  Reopen();
  EXPECT_THAT(state_.models->recovery().removed, IsEmpty());
  EXPECT_EQ(state_.models->Latest()->version, 1u);
  EXPECT_FLOAT_EQ(FirstWeight(state_, directory(), 1), model_.floats[0][1] + 0.5f);
  EXPECT_EQ((*state_.journal->LastRound())->version, 1u);
  ASSERT_OK_AND_ASSIGN(const auto downlink, state_.models->Downlink(1));
  EXPECT_EQ(downlink->ref(), row.downlink);
  EXPECT_EQ(*state_.models->spec(), model_.spec);
  EXPECT_NE(state_.models->Frozen(), nullptr);
}

TEST_F(ModelStoreTest, OptimiserStateIsCarriedOverARestart) {
  StrategyOptions momentum;
  momentum.kind = StrategyOptions::Kind::kFedAvgM;
  Import();
  ASSERT_THAT(PublishNext(state_, 1.0f, {}, momentum), IsOk());
  Reopen();
  ASSERT_OK_AND_ASSIGN(const VersionRow row, PublishNext(state_, 1.0f, {}, momentum));
  EXPECT_EQ(row.state_file, "v00000002.state");
  EXPECT_EQ(row.state_sha256, Sha256(*ReadWholeFile(PathOf("versions", row.state_file), 1 << 20)));
  EXPECT_NEAR(FirstWeight(state_, directory(), 2), model_.floats[0][1] + 2.9f, 1e-5);
}

TEST_F(ModelStoreTest, OnlyANewerVersionCanBePublishedAndOnlyFromOneThatIsThere) {
  Import();
  const std::unique_ptr<Accumulator> accumulator = OneUpdate(model_.spec, 1);
  PublishVersion request;
  request.aggregate = accumulator.get();
  request.base_version = 5;
  request.new_version = 6;
  EXPECT_THAT(state_.models->Publish(request), StatusIs(absl::StatusCode::kNotFound));
  request.base_version = 0;
  request.new_version = 0;
  EXPECT_THAT(state_.models->Publish(request), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ModelStoreTest, AFailedPublicationLeavesTheOldVersionAndNoFiles) {
  Import();
  StrategyOptions wild;
  wild.learning_rate = 1e38;
  EXPECT_THAT(PublishNext(state_, 1000.0f, {}, wild), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(state_.models->Latest()->version, 0u);
  EXPECT_THAT(Names("versions"), ElementsAre("v00000000.safetensors"));
  EXPECT_THAT(PublishNext(state_, 1.0f), IsOk());
}

TEST_F(ModelStoreTest, OldVersionsGoUnlessTheyArePinned) {
  Import();
  ASSERT_THAT(PublishNext(state_, 1), IsOk());
  ASSERT_THAT(PublishNext(state_, 1, {0}), IsOk());
  EXPECT_THAT(Names("versions"),
              ElementsAre("v00000000.safetensors", "v00000001.safetensors", "v00000002.safetensors"));
  ASSERT_OK_AND_ASSIGN(const auto in_flight, state_.models->Downlink(0));
  ASSERT_THAT(state_.models->Retain({}), IsOk());
  EXPECT_THAT(Names("versions"), ElementsAre("v00000001.safetensors", "v00000002.safetensors"));
  EXPECT_THAT(Names("payloads"), ElementsAre("frozen.payload", "v00000001.payload", "v00000002.payload"));
  EXPECT_THAT(state_.models->Downlink(0), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(state_.models->FindPayload(in_flight->ref().id), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ((*state_.journal->Versions()).size(), 2u);
  // A download under way goes on.
  std::string rest(in_flight->ref().total_size, '\0');
  EXPECT_THAT(in_flight->ReadAt(0, rest.size(), &rest[0]), IsOk());
  EXPECT_THAT(in_flight->Verify(), IsOk());
  ASSERT_THAT(PublishNext(state_, 1), IsOk());
  EXPECT_EQ((*state_.journal->Versions()).size(), 2u);
}

TEST_F(ModelStoreTest, TheExportIsTheNewestVersion) {
  Import();
  ASSERT_THAT(PublishNext(state_, 1), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string path, state_.models->Export());
  EXPECT_EQ(path, PathOf("exported", "model-v1.safetensors"));
  EXPECT_EQ(*ReadWholeFile(path, 1 << 20), *ReadWholeFile(PathOf("versions", "v00000001.safetensors"), 1 << 20));
  EXPECT_THAT(state_.models->Export(), IsOk()) << "again";
  EXPECT_THAT(Names("exported"), ElementsAre("model-v1.safetensors"));
  ASSERT_OK_AND_ASSIGN(const File weights, state_.models->OpenWeights(1));
  EXPECT_EQ(*weights.Size(), (*ReadWholeFile(path, 1 << 20)).size());
}

TEST_F(ModelStoreTest, BoundsComeFromTheWeightsOfTheVersion) {
  Import();
  ASSERT_OK_AND_ASSIGN(const std::vector<double> bounds, state_.models->ValueBoundsOf(0, 256));
  EXPECT_EQ(bounds[0], 256);
  EXPECT_EQ(bounds[1], 65536);
}

TEST_F(ModelStoreTest, LeftoversOfAKilledProcessGo) {
  Import();
  for (const char* name : {"v00000001.safetensors", "v00000001.safetensors.tmp", "v00000009.state"}) {
    ASSERT_THAT(WriteFileAtomically(PathOf("versions", name), "x"), IsOk());
  }
  ASSERT_THAT(WriteFileAtomically(PathOf("payloads", "v00000001.payload"), "x"), IsOk());
  ASSERT_THAT(WriteFileAtomically(PathOf("versions", "notes.txt"), "the operator's"), IsOk());
  Reopen();
  EXPECT_EQ(state_.models->recovery().removed.size(), 4u);
  EXPECT_THAT(Names("versions"), ElementsAre("notes.txt", "v00000000.safetensors"));
  EXPECT_THAT(Names("payloads"), ElementsAre("frozen.payload", "v00000000.payload"));
}

TEST_F(ModelStoreTest, ADamagedNewestVersionFallsBackToTheOneBefore) {
  Import();
  ASSERT_THAT(PublishNext(state_, 1), IsOk());
  ASSERT_THAT(PublishNext(state_, 1), IsOk());
  DamageLastByte(PathOf("versions", "v00000002.safetensors"));
  Reopen();
  const RecoveryReport& report = state_.models->recovery();
  EXPECT_EQ(report.revoked_version, 2u);
  ASSERT_EQ(report.damaged.size(), 1u);
  EXPECT_THAT(report.damaged[0], HasSubstr("v00000002.safetensors"));
  EXPECT_EQ(state_.models->Latest()->version, 1u);
  ASSERT_OK_AND_ASSIGN(const std::optional<RoundRow> round, state_.journal->LastRound());
  EXPECT_EQ(round->state, RoundState::kFailed);
  EXPECT_THAT(round->reason, HasSubstr("went back to version 1"));
  EXPECT_THAT(Names("versions"), ElementsAre("v00000001.safetensors", "v00000002.safetensors.damaged"));
  // The run goes on, with the same version number.
  ASSERT_THAT(PublishNext(state_, 1), IsOk());
  Reopen();
  EXPECT_EQ(state_.models->Latest()->version, 2u);
  EXPECT_EQ(state_.models->recovery().revoked_version, std::nullopt);
}

TEST_F(ModelStoreTest, AMissingOptimiserStateIsDamageToo) {
  StrategyOptions momentum;
  momentum.kind = StrategyOptions::Kind::kFedAvgM;
  Import();
  ASSERT_THAT(PublishNext(state_, 1, {}, momentum), IsOk());
  ASSERT_THAT(RemoveFile(PathOf("versions", "v00000001.state")), IsOk());
  Reopen();
  EXPECT_EQ(state_.models->recovery().revoked_version, 1u);
  EXPECT_EQ(state_.models->Latest()->version, 0u);
}

TEST_F(ModelStoreTest, WithoutAnIntactVersionNothingIsTouched) {
  Import();
  ASSERT_THAT(PublishNext(state_, 1), IsOk());
  DamageLastByte(PathOf("versions", "v00000000.safetensors"));
  DamageLastByte(PathOf("versions", "v00000001.safetensors"));
  const std::vector<std::string> before = Names("versions");
  state_ = State();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Journal> journal, Journal::Open(JoinPath(directory(), "journal.db")));
  EXPECT_THAT(ModelStore::Open({directory(), CodecSpec::Fp32(), 2}, journal.get()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("v00000001.safetensors")));
  EXPECT_EQ(Names("versions"), before);
  EXPECT_EQ((*journal->Versions()).size(), 2u);
}

TEST_F(ModelStoreTest, DamagedPayloadsAreEncodedAgainWithTheSameIds) {
  Import();
  const Digest down = state_.models->Latest()->downlink.id;
  const Digest frozen = state_.models->Frozen()->ref().id;
  DamageLastByte(PathOf("payloads", "v00000000.payload"));
  ASSERT_THAT(RemoveFile(PathOf("payloads", "frozen.payload")), IsOk());
  Reopen();
  EXPECT_EQ(state_.models->recovery().repaired.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const auto payload, state_.models->FindPayload(down));
  EXPECT_THAT(payload->Verify(), IsOk());
  EXPECT_EQ(state_.models->Frozen()->ref().id, frozen);
  EXPECT_THAT(state_.models->Frozen()->Verify(), IsOk());
}

TEST_F(ModelStoreTest, APayloadThatWouldComeOutDifferentIsNotReplaced) {
  Import();
  DamageLastByte(PathOf("payloads", "v00000000.payload"));
  state_ = State();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Journal> journal, Journal::Open(JoinPath(directory(), "journal.db")));
  EXPECT_THAT(ModelStore::Open({directory(), CodecSpec::Fp32(), 2}, journal.get()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("another payload")));
}

}  // namespace
}  // namespace thinwire
