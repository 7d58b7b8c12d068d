// What the model store offers clients that have an older version, where a round moves a part of the model.
#include <string>
#include <vector>

#include "common/sketch/model_changes.h"
#include "common/sketch/update_specs.h"
#include "tests/unit/store/store_fixture.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr size_t kSize = 100'000;

class ChangeStoreTest : public ::testing::Test {
 protected:
  ChangeStoreTest()
      : model_(*ModelSpec::Create({{"w", {kSize}, DataType::kFloat32, TensorRole::kTrainable},
                                   {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer}})) {
    WriteModel(model_, directory_.Path("initial.safetensors"));
    Open();
  }

  void Open() {
    models_.reset();
    journal_.reset();
    journal_ = *Journal::Open(directory_.Path("journal.db"));
    ModelStoreOptions options{directory_.path(), CodecSpec::Fp32(), /*keep_versions=*/2};
    options.plan = TopKPlan(500);
    auto models = ModelStore::Open(options, journal_.get());
    ASSERT_THAT(models, IsOk());
    models_ = *std::move(models);
    if (!models_->Latest().has_value()) {
      ASSERT_THAT(models_->ImportSafetensors(directory_.Path("initial.safetensors")), IsOk());
    }
  }
  // A round that moves values [first, first + count), and the buffer.
  void Publish(size_t first, size_t count) {
    const uint64_t base = models_->Latest()->version;
    const std::unique_ptr<Accumulator> sums = NewAccumulator(model_.spec);
    ASSERT_THAT(sums->Admit(1), IsOk());
    std::vector<float> step(kSize);
    for (size_t i = first; i < first + count; ++i) step[i] = 0.5f;
    for (size_t block = 0; block < kSize; block += kBlockValues) {
      sums->AddFloats(0, block, absl::MakeConstSpan(step).subspan(block, kBlockValues), 1);
    }
    sums->AddFloats(1, 0, std::vector<float>(4, 0.25f), 1);
    sums->CountUpdate(1);
    PublishVersion request;
    request.base_version = base;
    request.new_version = base + 1;
    request.aggregate = sums.get();
    request.round = ClosedRound(static_cast<uint32_t>(base + 1));
    ASSERT_THAT(models_->Publish(request), IsOk());
    ids_.push_back(models_->Latest()->downlink.id);
  }
  // As a client does it: what it has, and what it is sent.
  PayloadRef Make(const std::string& older, const PayloadRef& older_ref, const StoredPayload& changes) {
    const uint64_t entries = EntriesIn(changes.reader().manifest());
    std::string bytes(changes.ref().total_size, '\0');
    EXPECT_THAT(changes.ReadAt(0, bytes.size(), &bytes[0]), IsOk());
    EXPECT_THAT(WriteFileAtomically(directory_.Path("sent"), bytes), IsOk());
    const auto sent = PayloadReader::Open(directory_.Path("sent"), changes.ref(), ChangesSpec(model_.spec, entries));
    EXPECT_THAT(sent, IsOk());
    const auto held = PayloadReader::Open(older, older_ref, model_.spec);
    EXPECT_THAT(held, IsOk());
    return ApplyChanges(model_.spec, *held, *sent, directory_.Path("made")).value_or(PayloadRef());
  }
  void KeepPayload(const std::string& name) {
    ref_ = models_->Latest()->downlink;
    const std::string path = JoinPath(directory_.Path("payloads"), models_->Latest()->downlink_file);
    ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadWholeFile(path, 1 << 24));
    ASSERT_THAT(WriteFileAtomically(directory_.Path(name), bytes), IsOk());
  }
  std::vector<std::string> Files() const { return *ListDirectory(directory_.Path("changes")); }

  TemporaryDirectory directory_;
  const ModelState model_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<ModelStore> models_;
  std::vector<Digest> ids_;  // of versions 1 and on
  PayloadRef ref_;
};

TEST_F(ChangeStoreTest, AClientThatMissedAnyNumberOfVersionsIsSentWhatChangedSince) {
  KeepPayload("held");
  const Digest first = ref_.id;
  for (const size_t at : {0u, 300u, 60'000u, 99'000u}) Publish(at, 500);
  EXPECT_EQ(models_->ChangesSince(4, first), 4u);
  EXPECT_EQ(models_->ChangesSince(4, ids_[1]), 2u);
  EXPECT_EQ(models_->ChangesSince(4, ids_[3]), 0u);  // has it
  EXPECT_EQ(models_->ChangesSince(4, Sha256("another run's")), 0u);
  EXPECT_EQ(models_->ChangesSince(4, std::nullopt), 0u);
  ASSERT_OK_AND_ASSIGN(const auto changes, models_->Variant(4, 4));
  EXPECT_EQ(EntriesIn(changes->reader().manifest()), 1'800u);  // 200 of them moved twice
  EXPECT_LT(changes->ref().total_size, 1'800 * 5 + 400);
  EXPECT_EQ(Make(directory_.Path("held"), ref_, *changes), models_->Latest()->downlink);
  ASSERT_OK_AND_ASSIGN(const auto found, models_->FindPayload(changes->ref().id));
  EXPECT_EQ(found, changes);
}

TEST_F(ChangeStoreTest, ChangesSurviveARestart) {
  KeepPayload("held");
  Publish(0, 10);
  Publish(5, 10);
  Open();
  EXPECT_THAT(Files(), ElementsAre("v00000001-0-10.payload", "v00000002-1-10.payload"));
  EXPECT_EQ(models_->ChangesSince(2, ref_.id), 2u);
  ASSERT_OK_AND_ASSIGN(const auto changes, models_->Variant(2, 2));
  EXPECT_EQ(EntriesIn(changes->reader().manifest()), 15u);
  EXPECT_EQ(Make(directory_.Path("held"), ref_, *changes), models_->Latest()->downlink);
}

TEST_F(ChangeStoreTest, ARoundThatMovedNearlyAllIsNotWorthIt) {
  const Digest first = models_->Latest()->downlink.id;
  Publish(0, kSize - 10);
  EXPECT_THAT(Files(), SizeIs(0));
  EXPECT_EQ(models_->ChangesSince(1, first), 0u);
  Publish(0, 10);
  EXPECT_EQ(models_->ChangesSince(2, first), 0u);  // nothing leads over version 1
  EXPECT_EQ(models_->ChangesSince(2, ids_[0]), 1u);
}

TEST_F(ChangeStoreTest, SeveralRoundsThatMovedNearlyAllTogetherAreTheModel) {
  const Digest first = models_->Latest()->downlink.id;
  Publish(0, 50'000);
  Publish(50'000, 49'999);
  EXPECT_EQ(models_->ChangesSince(2, first), 2u);
  ASSERT_OK_AND_ASSIGN(const auto changes, models_->Variant(2, 2));
  ASSERT_OK_AND_ASSIGN(const auto whole, models_->Downlink(2));
  EXPECT_EQ(changes, whole);
  EXPECT_EQ(models_->FindVariant(2, 2), whole);
}

TEST_F(ChangeStoreTest, TheOldestGoWhenAllTogetherAreMoreThanTwoModels) {
  for (size_t i = 0; i < 5; ++i) Publish(i * 1'000, 50'000);
  EXPECT_THAT(Files(), SizeIs(3));
  EXPECT_EQ(models_->ChangesSince(5, ids_[1]), 3u);
  EXPECT_EQ(models_->ChangesSince(5, ids_[0]), 0u);
}

TEST_F(ChangeStoreTest, ADamagedFileCostsTheModelsBytesAndNothingElse) {
  KeepPayload("held");
  Publish(0, 10);
  Publish(5, 10);
  {
    ASSERT_OK_AND_ASSIGN(File file,
                         File::OpenForUpdate(JoinPath(directory_.Path("changes"), "v00000001-0-10.payload")));
    ASSERT_OK_AND_ASSIGN(const uint64_t size, file.Size());
    ASSERT_THAT(file.WriteAt(size - 32 - 1, "x"), IsOk());  // the entries' last byte: behind it is the buffer's frame
  }
  Open();
  ASSERT_OK_AND_ASSIGN(const auto changes, models_->Variant(2, models_->ChangesSince(2, ref_.id)));
  ASSERT_OK_AND_ASSIGN(const auto whole, models_->Downlink(2));
  EXPECT_EQ(changes, whole);
}

TEST_F(ChangeStoreTest, LeftoversAndFilesOfOthersAreRemoved) {
  Publish(0, 10);
  for (const char* name : {"v00000009-8-10.payload", "v00000001-0-10.payload.tmp", "x", "v1-0-7.payload"}) {
    ASSERT_THAT(WriteFileAtomically(JoinPath(directory_.Path("changes"), name), "not a payload"), IsOk());
  }
  Open();
  EXPECT_THAT(Files(), ElementsAre("v00000001-0-10.payload"));
}

}  // namespace
}  // namespace thinwire
