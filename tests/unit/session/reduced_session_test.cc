// Sessions that send a part of each update: error accumulation over rounds, verdicts and restarts; sketches.
#include <string>
#include <vector>

#include "common/sketch/count_sketch.h"
#include "common/sketch/update_specs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr uint64_t kK = 1000;

// The trainer moves every weight by 0.5, so that ties alone decide: a first update sends positions 0 to 999, and one
// that knows what it did not send the next thousand, twice as large.
class ReducedSessionTest : public SessionFixture {
 protected:
  ReducedSessionTest() { api.join.plan = TopKPlan(kK); }

  void Offer(const std::vector<std::string>& ids) {
    for (const std::string& id : ids) api.answers.push_back(MakeAssignment(id));
  }
  // What the server says of a first assignment once a second one is awaited.
  void Settle(const std::string& id, UpdateState verdict) {
    api.on_call = [this, id, verdict, awaited = 0](const std::string& call) mutable {
      if (call == "AwaitAssignment" && ++awaited == 2) api.settled[id] = {verdict, 0, ""};
    };
  }
  SparseEntries Sent(const std::string& assignment) {
    const ModelSpec spec = ReducedUpdateSpec(api.join.plan, model.spec);
    const std::string path = folder.Path("uploaded");
    EXPECT_THAT(WriteFileAtomically(path, api.uploads[assignment]), IsOk());
    const auto reader = PayloadReader::Open(path, api.upload_headers[assignment].payload, spec);
    EXPECT_THAT(reader, IsOk());
    SparseEntries sent;
    sent.positions.resize(kK);
    sent.values.resize(kK);
    EXPECT_THAT(reader->DecodeEntries(0, model.spec.count(TensorRole::kTrainable), absl::MakeSpan(sent.positions),
                                      absl::MakeSpan(sent.values)),
                IsOk());
    std::vector<float> buffer(3);
    EXPECT_THAT(reader->DecodeFloats(reader->SegmentIndex(1, 0), absl::MakeSpan(buffer)), IsOk());
    EXPECT_EQ(buffer[0], model.floats[2][0] + 1);  // the trained buffer, exact
    return sent;
  }
  void ExpectSent(const std::string& assignment, uint64_t first, float value) {
    const SparseEntries sent = Sent(assignment);
    EXPECT_EQ(sent.positions.front(), first) << assignment;
    EXPECT_EQ(sent.positions.back(), first + kK - 1) << assignment;
    EXPECT_THAT(sent.values, Each(value)) << assignment;
  }
};

TEST_F(ReducedSessionTest, WhatAFoldedUpdateDidNotSendIsAddedToTheNext) {
  Offer({"a1", "a2"});
  Settle("a1", UpdateState::kFolded);
  EXPECT_EQ(RunSession().delivered, 2u);
  ExpectSent("a1", 0, 0.5f);
  ExpectSent("a2", kK, 1.0f);
}

TEST_F(ReducedSessionTest, AnUpdateThatDoesNotCountLeavesTheErrorAsItWas) {
  for (const UpdateState verdict : {UpdateState::kDiscarded, UpdateState::kFailed, UpdateState::kUnknown}) {
    Offer({"a1", "a2"});
    api.settled.clear();
    api.uploads.clear();
    Settle("a1", verdict);
    RunSession();
    ExpectSent("a2", 0, 0.5f);
    api.settled["a2"] = {UpdateState::kDiscarded, 0, ""};  // for the next turn of this loop
    OpenState();
  }
}

TEST_F(ReducedSessionTest, ErrorsSurviveTheProcessAndDecayAsThePlanSays) {
  api.join.plan.error_decay = 0.5;
  Offer({"a1"});
  RunSession();
  session.reset();
  OpenState();
  api.settled["a1"] = {UpdateState::kFolded, 0, ""};
  Offer({"a2"});
  RunSession();
  ExpectSent("a2", kK, 0.75f);
}

TEST_F(ReducedSessionTest, AnUpdateSentAgainAfterARestartIsTheSameOne) {
  Offer({"a1"});
  RunUntilBrokenOff("Upload", 500);
  Offer({"a1", "a2"});
  Settle("a1", UpdateState::kFolded);
  RunSession();
  EXPECT_EQ(trainer.requests.size(), 2u);  // a1 was not trained again
  ExpectSent("a1", 0, 0.5f);
  ExpectSent("a2", kK, 1.0f);
}

TEST_F(ReducedSessionTest, AServerThatKnowsNothingOfAnUpdateDidNotTakeIt) {
  Offer({"a1"});
  RunSession();
  OpenState();
  Fault("UploadStatus", absl::NotFoundError("unknown"));
  Offer({"a2"});
  RunSession();
  ExpectSent("a2", 0, 0.5f);
}

TEST_F(ReducedSessionTest, ADamagedErrorIsDroppedAndSaidSo) {
  Offer({"a1", "a2"});
  Settle("a1", UpdateState::kFolded);
  RunSession();
  api.settled["a2"] = {UpdateState::kFolded, 0, ""};
  const std::string errors = state->error_directory();
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> names, ListDirectory(errors));
  for (const std::string& name : names) {
    if (name.find(".error") == std::string::npos) continue;
    ASSERT_OK_AND_ASSIGN(File file, File::OpenForUpdate(JoinPath(errors, name)));
    ASSERT_THAT(file.WriteAt(40, "damage"), IsOk());
  }
  OpenState();
  Offer({"a3"});
  EXPECT_EQ(RunSession().delivered, 1u);
  ExpectSent("a3", 0, 0.5f);
}

TEST_F(ReducedSessionTest, ErrorsOfAnotherRunCountForNothing) {
  Offer({"a1"});
  RunSession();
  OpenState();
  api.settled["a1"] = {UpdateState::kFolded, 0, ""};
  api.join.run_seed = 99;
  Offer({"a2"});
  RunSession();
  ExpectSent("a2", 0, 0.5f);
}

TEST_F(ReducedSessionTest, WithoutErrorFeedbackNothingIsKeptNorAsked) {
  api.join.plan.error_decay = 0;
  Offer({"a1", "a2"});
  Settle("a1", UpdateState::kFolded);
  RunSession();
  ExpectSent("a2", 0, 0.5f);
  EXPECT_FALSE(FileExists(state->error_directory()));
}

// Over many rounds: what was sent and what is still kept add up to all updates.
TEST_F(ReducedSessionTest, WhatWasSentAndWhatIsKeptAreTheSumOfAllUpdates) {
  const uint64_t size = model.spec.count(TensorRole::kTrainable);
  std::vector<float> sent(size);
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    const std::string id = "a" + std::to_string(round);
    Offer({id});
    RunSession();
    const SparseEntries entries = Sent(id);
    for (size_t i = 0; i < kK; ++i) sent[entries.positions[i]] += entries.values[i];
    api.settled[id] = {UpdateState::kFolded, 0, ""};
    session.reset();
    OpenState();
  }
  Offer({"last"});  // settles the one before; what it proposes itself does not count
  RunSession();
  ErrorMemory memory(state->error_directory());
  const Digest run = Sha256(absl::StrCat(api.join.run_name, "\n", api.join.run_seed, "\n", api.join.plan.Name(), "\n",
                                         model.spec.id().Hex()));
  ASSERT_OK_AND_ASSIGN(const std::optional<BasisFile> kept, memory.Open(run, size));
  ASSERT_TRUE(kept.has_value());
  std::vector<float> error(size);
  ASSERT_THAT(kept->Read(0, absl::MakeSpan(error)), IsOk());
  for (size_t i = 0; i < size; ++i) ASSERT_EQ(sent[i] + error[i], 0.5f * kRounds) << i;  // halves: exact
}

TEST_F(ReducedSessionTest, ASketchIsThatOfTheUpdate) {
  SketchPlan plan;
  plan.columns = 700;
  plan.k = 10;
  api.join.plan = FetchSgdPlan(plan);
  api.join.run_seed = 12;
  Offer({"a1"});
  EXPECT_EQ(RunSession().delivered, 1u);
  const ModelSpec spec = ReducedUpdateSpec(api.join.plan, model.spec);
  const std::string path = folder.Path("uploaded");
  ASSERT_THAT(WriteFileAtomically(path, api.uploads["a1"]), IsOk());
  ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(path, api.upload_headers["a1"].payload, spec));
  std::vector<float> table(5 * 700);
  ASSERT_THAT(reader.DecodeFloats(0, absl::MakeSpan(table)), IsOk());
  std::vector<double> sums(table.size());
  const std::vector<float> update(model.spec.count(TensorRole::kTrainable), 0.5f);
  CountSketch(plan, SketchSeed(12)).Add(0, update, absl::MakeSpan(sums));
  for (size_t i = 0; i < table.size(); ++i) EXPECT_EQ(table[i], static_cast<float>(sums[i]));
}

}  // namespace
}  // namespace thinwire
