// Sessions whose updates are coded whole, under a budget: what is uploaded keeps within it, and error feedback is what
// the server did not get, over rounds, verdicts and lost acknowledgements.
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "common/codec/update_frame.h"
#include "common/sketch/update_specs.h"
#include "common/update/update_coder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::Each;
using testing::HasSubstr;

class CodedSessionTest : public SessionFixture {
 protected:
  CodedSessionTest() {
    trainer.step_of = [](size_t i) { return std::ldexp(static_cast<float>(i * 2654435761u % 2001) - 1000, -12); };
  }

  void Use(const std::string& text, double decay) {
    api.join.plan = BudgetPlan(*UpdatePlan::Parse(text));
    api.join.plan.error_decay = decay;
  }
  void Offer(const std::vector<std::string>& ids) {
    for (const std::string& id : ids) api.answers.push_back(MakeAssignment(id));
  }
  void Settle(const std::string& id, UpdateState verdict) {
    api.on_call = [this, id, verdict, awaited = 0](const std::string& call) mutable {
      if (call == "AwaitAssignment" && ++awaited == 2) api.settled[id] = {verdict, 0, ""};
    };
  }
  uint64_t Bits(const std::string& assignment) { return api.upload_headers[assignment].payload.bits(); }

  // What the server decodes, and that buffers are the differences to those that the trainer started from: all 1.
  std::vector<float> Sent(const std::string& assignment) {
    const ModelSpec spec = ReducedUpdateSpec(api.join.plan, model.spec);
    const std::string path = folder.Path("uploaded");
    EXPECT_THAT(WriteFileAtomically(path, api.uploads[assignment]), IsOk());
    const auto reader = PayloadReader::Open(path, api.upload_headers[assignment].payload, spec);
    EXPECT_THAT(reader, IsOk());
    std::vector<float> sent(size(), NAN), buffer(3);
    if (!reader.ok()) return sent;
    EXPECT_THAT(reader->DecodeFloats(reader->SegmentIndex(1, 0), absl::MakeSpan(buffer)), IsOk());
    EXPECT_THAT(buffer, Each(1.0f));
    std::vector<int64_t> steps(1);
    EXPECT_THAT(reader->DecodeInts(reader->SegmentIndex(2, 0), absl::MakeSpan(steps)), IsOk());
    EXPECT_EQ(steps[0], 1);
    std::string frame;
    EXPECT_THAT(reader->ReadSegment(0, &frame), IsOk());
    const absl::StatusOr<UpdatePiece> piece = ReadUpdateFrame(frame, size());
    EXPECT_THAT(piece, IsOk());
    const auto keep = [&sent](const UpdateLayout::Tensor& tensor, absl::Span<float> values) {
      std::copy(values.begin(), values.end(), sent.begin() + static_cast<ptrdiff_t>(tensor.first));
      return absl::OkStatus();
    };
    EXPECT_THAT(DecodeUpdateString(piece->codec, piece->bytes, UpdateLayout(model.spec), keep), IsOk());
    return sent;
  }
  std::optional<std::vector<float>> Kept() {
    ErrorMemory memory(state->error_directory());
    const Digest run = Sha256(absl::StrCat(api.join.run_name, "\n", api.join.run_seed, "\n", api.join.plan.Name(), "\n",
                                           model.spec.id().Hex()));
    const absl::StatusOr<std::optional<BasisFile>> kept = memory.Open(run, size());
    EXPECT_THAT(kept, IsOk());
    if (!kept.ok() || !kept->has_value()) return std::nullopt;
    std::vector<float> values(size());
    EXPECT_THAT((*kept)->Read(0, absl::MakeSpan(values)), IsOk());
    return values;
  }
  uint64_t size() const { return model.spec.count(TensorRole::kTrainable); }
};

constexpr const char* kPlans[] = {
    "rdu:bits=0.5",  "rdu:bits=1,fast", "topk-uniform:bits=0.5,r=4",          "m22:bits=0.5,r=3",
    "sign:bits=1.1", "eden:bits=0.7",   "topk-float:total=9000,format=s1e5m2"};

TEST_F(CodedSessionTest, EveryCodecKeepsWithinItsBudgetAndSendsMostOfTheUpdate) {
  int round = 0;
  for (const char* text :
       {"rdu:bits=0.5", "rdu:bits=1,fast", "rdu:total=3000", "rdu:bits=0.5,m=2", "topk-uniform:bits=0.5,r=4",
        "m22:bits=0.5,r=3,m=2", "tinyscript:bits=0.5,r=2", "sign:bits=1.1", "qsgd:bits=2,bucket=512", "eden:bits=0.7",
        "eden:bits=2,unbiased", "topk-float:bits=0.5,format=s1e2m1"}) {
    Use(text, 0);
    const std::string id = absl::StrCat("a", round++);
    Offer({id});
    EXPECT_EQ(RunSession().delivered, 1u) << text;
    const uint64_t budget = api.join.plan.update->BudgetBits(size());
    EXPECT_LE(Bits(id), budget) << text;
    const std::vector<float> sent = Sent(id);
    double product = 0;
    for (size_t i = 0; i < sent.size(); ++i)
      product += double{sent[i]} * trainer.step_of(i < kBlockValues + 100 ? i : i - kBlockValues - 100);
    EXPECT_GT(product, 0) << text;
    session.reset();
    OpenState();
  }
  EXPECT_FALSE(FileExists(state->error_directory()));
}

TEST_F(CodedSessionTest, TheGrantOfAnAssignmentCountsAndTheServerIsToldWhatWasLost) {
  Use("m22:total=4000,r=3,m=2", 0);
  Assignment granted = MakeAssignment("a1");
  granted.upload_bits = 9000;
  api.answers.push_back(granted);
  Offer({"a2"});
  ASSERT_EQ(RunSession().delivered, 2u);
  EXPECT_LE(Bits("a1"), 9000u);
  EXPECT_GT(Bits("a1"), 8000u);
  EXPECT_LE(Bits("a2"), 4000u);
  for (const std::string id : {"a1", "a2"}) {
    const std::vector<float> sent = Sent(id);
    double error = 0, all = 0, weighted_error = 0, weighted_all = 0;
    for (size_t i = 0; i < sent.size(); ++i) {
      const double u = trainer.step_of(i < kBlockValues + 100 ? i : i - kBlockValues - 100);
      const double squared = (u - sent[i]) * (u - sent[i]);
      error += squared;
      all += u * u;
      weighted_error += u * u * squared;
      weighted_all += u * u * u * u;
    }
    const CodingReport& report = api.upload_headers[id].coding;
    EXPECT_NEAR(report.distortion.value(), error / all, 1e-5);
    EXPECT_NEAR(report.weighted_distortion.value(), weighted_error / weighted_all, 1e-5);
    EXPECT_EQ(report.unsent_norm, std::nullopt);
  }
  EXPECT_LT(*api.upload_headers["a1"].coding.distortion, *api.upload_headers["a2"].coding.distortion);
}

TEST_F(CodedSessionTest, TheExponentIsThatOfTheAssignmentsRound) {
  Use("rdu:bits=0.5,m=4..0/4", 0);
  Assignment late = MakeAssignment("a2");
  late.round = 5;
  Offer({"a1"});  // round 3: M = 2
  api.answers.push_back(late);
  ASSERT_EQ(RunSession().delivered, 2u);
  EXPECT_TRUE(api.upload_headers["a1"].coding.weighted_distortion.has_value());
  EXPECT_FALSE(api.upload_headers["a2"].coding.weighted_distortion.has_value());
  EXPECT_NE(Sent("a1"), Sent("a2"));
}

TEST_F(CodedSessionTest, WithErrorFeedbackTheServerIsToldHowMuchIsUnsent) {
  Use("rdu:bits=0.2", 1);
  Offer({"a1"});
  ASSERT_EQ(RunSession().delivered, 1u);
  const CodingReport& report = api.upload_headers["a1"].coding;
  double all = 0;
  for (size_t i = 0; i < size(); ++i) {
    const double u = trainer.step_of(i < kBlockValues + 100 ? i : i - kBlockValues - 100);
    all += u * u;
  }
  EXPECT_NEAR(report.unsent_norm.value(), std::sqrt(report.distortion.value() * all), 1e-3);
  EXPECT_EQ(report.weighted_distortion, std::nullopt);
}

TEST_F(CodedSessionTest, AClientSaysWhatItsLinkCarried) {
  Use("rdu:total=8000", 0);
  api.on_call = [this](const std::string& call) {
    if (call == "Upload") clock.Advance(absl::Seconds(2));
  };
  Offer({"a1", "a2"});
  options.uplink_bits_per_second = 0;
  RunSession();
  ASSERT_EQ(api.uplinks.size(), 3u);
  EXPECT_EQ(api.uplinks[0], 0u);
  EXPECT_NEAR(static_cast<double>(api.uplinks[1]), static_cast<double>(Bits("a1")) / 2, 1);
  // One that paces itself knows before its first upload, and says no more than it keeps to.
  api.uplinks.clear();
  options.uplink_bits_per_second = 1000;
  OpenState();
  Offer({"b1"});
  RunSession();
  EXPECT_EQ(api.uplinks[0], 1000u);
  EXPECT_LE(api.uplinks[1], 1000u);
}

// Over rounds: what was sent and what is still kept add up to all updates.
TEST_F(CodedSessionTest, WhatWasSentAndWhatIsKeptAreTheSumOfAllUpdates) {
  constexpr int kRounds = 3;
  int run = 0;
  for (const char* text : kPlans) {
    Use(text, 1);
    api.join.run_name = absl::StrCat("run", ++run);
    std::vector<double> sent(size());
    for (int round = 0; round <= kRounds; ++round) {  // the last settles the one before
      const std::string id = absl::StrCat("r", run, "a", round);
      Offer({id});
      ASSERT_EQ(RunSession().delivered, 1u) << text;
      EXPECT_LE(Bits(id), api.join.plan.update->BudgetBits(size()));
      const std::vector<float> decoded = Sent(id);
      for (size_t i = 0; round < kRounds && i < sent.size(); ++i) sent[i] += decoded[i];
      api.settled[id] = {UpdateState::kFolded, 0, ""};
      session.reset();
      OpenState();
    }
    const std::optional<std::vector<float>> kept = Kept();
    ASSERT_TRUE(kept.has_value()) << text;
    for (size_t i = 0; i < size(); ++i) {
      const size_t index = i < kBlockValues + 100 ? i : i - kBlockValues - 100;
      ASSERT_NEAR(sent[i] + (*kept)[i], kRounds * trainer.step_of(index), 1e-5) << text << " at " << i;
    }
  }
}

TEST_F(CodedSessionTest, AnErrorCountsOnlyIfTheServerTookTheUpdate) {
  for (const char* text : {"rdu:bits=0.2", "topk-uniform:bits=0.2,r=4"}) {
    Use(text, 0.5);
    for (const UpdateState verdict : {UpdateState::kDiscarded, UpdateState::kFailed, UpdateState::kUnknown}) {
      Offer({"a1", "a2"});
      api.settled.clear();
      api.uploads.clear();
      Settle("a1", verdict);
      RunSession();
      EXPECT_EQ(api.uploads["a2"], api.uploads["a1"]) << text;
      api.settled["a2"] = {UpdateState::kDiscarded, 0, ""};  // for the next turn of this loop
      OpenState();
    }
    Offer({"b1", "b2"});
    Settle("b1", UpdateState::kFolded);
    RunSession();
    const std::vector<float> first = Sent("b1"), second = Sent("b2");
    ErrorMemory memory(state->error_directory());
    EXPECT_NE(first, second) << text;
    api.settled["b2"] = {UpdateState::kDiscarded, 0, ""};
    Offer({"b3"});
    OpenState();
    RunSession();
    EXPECT_EQ(Sent("b3"), second) << text;  // the same error again: b2's never counted
    api.settled["b3"] = {UpdateState::kDiscarded, 0, ""};
    OpenState();
  }
}

// The server took the update, but its word was lost: the client sends it again as it was, and its error counts once.
TEST_F(CodedSessionTest, ALostAcknowledgementNeitherLosesNorDoublesTheError) {
  Use("rdu:bits=0.2", 1);
  Offer({"a1"});
  RunUntilBrokenOff("Upload", 500);
  Offer({"a1", "a2"});
  Settle("a1", UpdateState::kFolded);
  RunSession();
  EXPECT_EQ(trainer.requests.size(), 2u);  // a1 was not trained again
  const std::vector<float> first = Sent("a1"), second = Sent("a2");
  const std::optional<std::vector<float>> kept = Kept();  // that of a1
  ASSERT_TRUE(kept.has_value());
  for (size_t i = 0; i < 1000; ++i) ASSERT_NEAR((*kept)[i], trainer.step_of(i) - first[i], 1e-6) << i;
  EXPECT_NE(first, second);
}

// One level for many small values and a large one is further from them than zero is.
TEST_F(CodedSessionTest, WithErrorFeedbackWhatOvershootsIsSentAsZerosAndKeptWhole) {
  trainer.step_of = [](size_t i) { return i == 7 ? 1000.0f : 1.0f; };
  Use("topk-uniform:bits=2,r=1", 0);
  Offer({"a1"});
  ASSERT_EQ(RunSession().delivered, 1u);
  EXPECT_GT(api.upload_headers["a1"].coding.distortion.value(), 1);
  Use("topk-uniform:bits=2,r=1", 1);
  api.join.run_name = "with feedback";
  OpenState();
  Offer({"b1"});
  ASSERT_EQ(RunSession().delivered, 1u);
  EXPECT_THAT(Sent("b1"), Each(0.0f));
  const CodingReport& report = api.upload_headers["b1"].coding;
  EXPECT_EQ(report.distortion, 1);
  EXPECT_NEAR(report.unsent_norm.value(), std::sqrt(2e6 + static_cast<double>(size()) - 2), 1e-3);  // in two tensors
}

TEST_F(CodedSessionTest, ABudgetThatHoldsNothingFailsTheAssignmentWithTheSmallestThatWorks) {
  Use("sign:bits=0.5", 0);
  Offer({"a1"});
  EXPECT_EQ(RunSession().failed, 1u);
  EXPECT_THAT(api.failures["a1"], HasSubstr("takes at least"));
}

TEST_F(CodedSessionTest, TheSmallestBudgetSendsTheEmptyUpdate) {
  // Manifest of three segments, their headers, three floats of 6 bits with a scale, and an integer.
  Use(absl::StrCat("rdu:total=", 8 * (88 + 3 * 64 + (8 + 1 + 3) + 8)), 1);
  Offer({"a1"});
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_EQ(Bits("a1"), api.join.plan.update->bits);
  EXPECT_THAT(Sent("a1"), Each(0.0f));
}

TEST_F(CodedSessionTest, RandomRoundingIsThatOfTheAssignment) {
  Use("qsgd:bits=2", 0);
  Offer({"a1", "a2"});
  Assignment other = MakeAssignment("a3");
  other.seed = 78;
  api.answers.push_back(other);
  EXPECT_EQ(RunSession().delivered, 3u);
  EXPECT_EQ(api.uploads["a1"], api.uploads["a2"]);
  EXPECT_NE(api.uploads["a1"], api.uploads["a3"]);
}

TEST_F(CodedSessionTest, AnUpdateThatIsNotFiniteIsRefusedByTensor) {
  trainer.step_of = [](size_t i) { return i == 7 ? INFINITY : 0; };
  Use("rdu:bits=0.5", 0);
  Offer({"a1"});
  EXPECT_EQ(RunSession().failed, 1u);
  EXPECT_THAT(api.failures["a1"], HasSubstr("'weight' is inf at value 7"));
}

}  // namespace
}  // namespace thinwire
