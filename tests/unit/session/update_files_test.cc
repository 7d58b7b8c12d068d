// Updates on disk: encoding, the record of a pending one.
#include <limits>

#include "client/session/pending_update.h"
#include "client/session/session_progress.h"
#include "client/session/update_encoder.h"
#include "gmock/gmock.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class UpdateFilesTest : public SessionFixture {
 protected:
  UpdateFilesTest() : pending(state->upload_directory()), assignment(MakeAssignment("a1")) {
    update.assignment_id = "a1";
    update.path = pending.PayloadPath(assignment);
    update.examples = 12345678901234ull;
    update.train_loss = 0.1;
    update.train_time = absl::Microseconds(1234567);
    update.coding.time = absl::Microseconds(7654321);
    update.coding.distortion = 0.1;
    update.coding.unsent_norm = 1e-30;
  }
  void Encode() {
    ModelStateSource source(model);
    auto ref = EncodePayload(model.spec, {Representation::kModel, CodecSpec::Fp32(), Digest{}}, source, update.path);
    ASSERT_TRUE(ref.ok()) << ref.status();
    update.payload = *ref;
  }

  PendingUpdates pending;
  Assignment assignment;
  PendingUpdate update;
};

TEST_F(UpdateFilesTest, ASavedUpdateIsLoadedAsItWas) {
  Encode();
  ASSERT_THAT(pending.Save(assignment, update), IsOk());
  const auto loaded = PendingUpdates(state->upload_directory()).Load(assignment);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->assignment_id, "a1");
  EXPECT_EQ(loaded->payload, update.payload);
  EXPECT_EQ(loaded->path, update.path);
  EXPECT_EQ(loaded->examples, update.examples);
  EXPECT_EQ(loaded->train_loss, update.train_loss);
  EXPECT_EQ(loaded->train_time, update.train_time);
  EXPECT_EQ(loaded->coding.time, update.coding.time);
  EXPECT_EQ(loaded->coding.distortion, 0.1);
  EXPECT_EQ(loaded->coding.weighted_distortion, std::nullopt);
  EXPECT_EQ(loaded->coding.unsent_norm, 1e-30);
}

TEST_F(UpdateFilesTest, NothingIsLoadedUnlessEverythingAgrees) {
  EXPECT_FALSE(pending.Load(assignment).has_value());
  Encode();
  ASSERT_THAT(pending.Save(assignment, update), IsOk());
  Assignment other = assignment;
  other.version = 9;
  EXPECT_FALSE(pending.Load(other).has_value());
  other = assignment;
  other.model.id.bytes[0] ^= 1;
  EXPECT_FALSE(pending.Load(other).has_value());
  other = assignment;
  other.kind = AssignmentKind::kInitialize;
  EXPECT_FALSE(pending.Load(other).has_value());
  ASSERT_OK_AND_ASSIGN(File file, File::OpenForUpdate(update.path));
  ASSERT_THAT(file.Truncate(update.payload.total_size - 1), IsOk());
  EXPECT_FALSE(pending.Load(assignment).has_value());
}

TEST_F(UpdateFilesTest, AnAssignmentIdCannotLeadOutOfTheFolder) {
  for (const std::string& id : {std::string("../../etc/x"), std::string("/etc/x"), std::string(".."), std::string(),
                                std::string(5000, 'a'), std::string("a\0b", 3)}) {
    assignment.id = id;
    const std::string path = pending.PayloadPath(assignment);
    EXPECT_EQ(path.rfind('/'), state->upload_directory().size()) << path;
    EXPECT_LT(path.size() - state->upload_directory().size(), 200u);
    EXPECT_EQ(path.find('\0'), std::string::npos);
  }
}

TEST_F(UpdateFilesTest, ClearingLeavesNothing) {
  Encode();
  ASSERT_THAT(pending.Save(assignment, update), IsOk());
  ASSERT_THAT(pending.Clear(), IsOk());
  EXPECT_FALSE(pending.Load(assignment).has_value());
  ASSERT_OK_AND_ASSIGN(const auto names, ListDirectory(state->upload_directory()));
  EXPECT_THAT(names, IsEmpty());
}

TEST_F(UpdateFilesTest, AModelThatDidNotMoveGivesADeltaOfZeros) {
  ASSERT_THAT(PayloadDownloader(state->download_directory(), &api).Fetch(assignment.model, nullptr), IsOk());
  const std::string path = JoinPath(state->download_directory(), assignment.model.id.Hex() + ".payload");
  ASSERT_OK_AND_ASSIGN(const PayloadReader base, PayloadReader::Open(path, assignment.model, model.spec));
  ModelStateSource trained(model);
  DeltaSource source(model.spec, &trained, base);
  std::vector<float> block(100, 1.0f);
  ASSERT_THAT(source.ReadFloats(0, kBlockValues, absl::MakeSpan(block)), IsOk());
  EXPECT_EQ(block, std::vector<float>(100, 0.0f));
}

TEST_F(UpdateFilesTest, AModelWithFrozenTensorsCannotStartFromASeed) {
  auto spec = ModelSpec::Create({{"table", {5}, DataType::kFloat32, TensorRole::kFrozen},
                                 {"weight", {10}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_THAT(spec, IsOk());
  const ModelState zeros(*spec);
  ModelStateSource source(zeros);
  EXPECT_THAT(EncodeInitialModel(*spec, source, update.path),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("5 frozen values")));
}

TEST(SessionProgressTest, SaysBytesRateAndTimeLeft) {
  EXPECT_EQ(DescribeBytes(0), "0 B");
  EXPECT_EQ(DescribeBytes(999), "999 B");
  EXPECT_EQ(DescribeBytes(4200), "4.2 kB");
  EXPECT_EQ(DescribeBytes(999'700), "1.0 MB");
  EXPECT_EQ(DescribeBytes(114'300'000), "114 MB");
  EXPECT_EQ(DescribeTransfer(0, 1'000'000, 3'000'000, absl::Seconds(2)), "1.0 MB of 3.0 MB, 500 kB/s, 4 s left");
  EXPECT_EQ(DescribeTransfer(1'000'000, 2'000'000, 3'000'000, absl::Seconds(2)),
            "2.0 MB of 3.0 MB, 500 kB/s, 2 s left");
  EXPECT_EQ(DescribeTransfer(5, 5, 10, absl::Seconds(2)), "5 B of 10 B");
  EXPECT_EQ(DescribeTransfer(0, 10, 10, absl::ZeroDuration()), "10 B of 10 B");
}

TEST(SessionProgressTest, PassesALineOnOnceInAnIntervalAndKeepsTheNewest) {
  FakeClock clock;
  RecordingObserver observer;
  SessionProgress progress(&clock, &observer, absl::Seconds(5));
  progress.Begin(SessionState::kTraining, "round 1");
  progress.Update("step 1");
  clock.Advance(absl::Seconds(5));
  progress.Update("step 2");
  progress.Update("step 3");
  EXPECT_EQ(observer.progress, std::vector<std::string>{"step 2"});
  EXPECT_EQ(progress.Activity(), "training, round 1: step 3");
}

}  // namespace
}  // namespace thinwire
