// A session in a subspace: what it folds, what it checks, and how it gets on after it has lost its basis.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "client/session/basis_keeper.h"
#include "client/train/echo_trainer.h"
#include "common/codec/update_frame.h"
#include "common/sketch/update_specs.h"
#include "common/subspace/basis_file.h"
#include "common/subspace/coordinates.h"
#include "common/update/update_coder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/payload_values.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr uint64_t kDimension = 300;

// Two vectors, epochs 0 to 2 as a server has them.
class SubspaceSessionTest : public SessionFixture {
 protected:
  SubspaceSessionTest() {
    plan_.dimension = kDimension;
    plan_.vectors = 2;
    plan_.epoch_rounds = 5;
    api.join.plan = IgcPlan(plan_);
    api.join.run_seed = 9;
    size_ = model.spec.count(TensorRole::kTrainable);
    std::vector<float> theta = model.floats[0];
    theta.insert(theta.end(), model.floats[1].begin(), model.floats[1].end());
    EXPECT_THAT(WriteBasis(BasisPath(0), size_,
                           [&](uint64_t first, absl::Span<float> out) {
                             std::copy_n(theta.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
                             return absl::OkStatus();
                           }),
                IsOk());
    WriteFolded();
  }

  // theta_1 and theta_2, from theta_0.
  void WriteFolded() {
    for (uint64_t epoch = 0; epoch < 2; ++epoch) {
      EXPECT_THAT(FoldBasis(BasisPath(epoch), Matrices(epoch), Sigma(epoch), BasisPath(epoch + 1)), IsOk());
    }
  }
  std::string BasisPath(uint64_t epoch) const { return folder.Path(absl::StrCat("theta", epoch)); }
  std::vector<Fastfood> Matrices(uint64_t epoch) const { return *MatricesOfEpoch(plan_, size_, 9, epoch); }
  // The last coordinates of an epoch.
  std::vector<std::vector<float>> Sigma(uint64_t epoch) const {
    std::vector<std::vector<float>> vectors(2, std::vector<float>(kDimension));
    for (size_t i = 0; i < kDimension; ++i) {
      vectors[0][i] = static_cast<float>(i % 7 + epoch) * 0.01f;
      vectors[1][i] = static_cast<float>(i % 5) * -0.02f;
    }
    vectors.resize(plan_.vectors);
    return vectors;
  }
  HeldBasis Basis(uint64_t epoch) const { return {epoch, *BasisFile::Open(BasisPath(epoch), size_)->Hash()}; }
  PayloadRef Snapshot(uint64_t epoch) {
    ModelState values(BasisSpec(model.spec));
    EXPECT_THAT(BasisFile::Open(BasisPath(epoch), size_)->Read(0, absl::MakeSpan(values.floats[0])), IsOk());
    return Publish(values);
  }
  // The version of `epoch`, behind the last coordinates of those from `first` on.
  PayloadRef Version(uint64_t first, uint64_t epoch) {
    ModelState values(CatchUpSpec(model.spec, plan_, CodecSpec::Fp32(), epoch - first));
    size_t at = 0;
    for (uint64_t e = first; e <= epoch; ++e) {
      for (const auto& vector : Sigma(e)) {
        std::copy(vector.begin(), vector.end(), values.floats[0].begin() + static_cast<ptrdiff_t>(at));
        at += kDimension;
      }
    }
    values.floats[1] = {7, 8, 9};
    values.ints[2] = {11};
    return Publish(values);
  }

  Assignment Work(const std::string& id, uint64_t first, uint64_t epoch, bool snapshot = false,
                  AssignmentKind kind = AssignmentKind::kTrain) {
    Assignment work;
    work.id = id;
    work.kind = kind;
    work.round = 3;
    work.seed = 77;
    work.training.learning_rate = 0.5;
    work.model = Version(first, epoch);
    work.subspace.emplace();
    work.subspace->basis = Basis(epoch);
    work.subspace->first_epoch = first;
    work.subspace->vector = plan_.vectors - 1;
    work.subspace->base_id = Version(epoch, epoch).id;
    if (snapshot) work.subspace->snapshot = Snapshot(epoch);
    return work;
  }

  SessionSummary RunEcho() {
    EchoOptions echo;
    echo.spec = model.spec;
    echo.examples = 4;
    echo_ = MakeEchoTrainer(echo).value();
    session = std::make_unique<ClientSession>(
        options, SessionParts{&api, echo_.get(), &*state, &clock, &sleeper, &heartbeat_sleeper, &observer});
    return session->Run();
  }
  std::string HeldPath(uint64_t epoch) const { return JoinPath(state->basis_directory(), BasisFileName(Basis(epoch))); }

  SubspacePlan plan_;
  uint64_t size_ = 0;
  std::unique_ptr<Trainer> echo_;
};

TEST_F(SubspaceSessionTest, StartsFromASnapshotThenFoldsTheEpochsThatItMissed) {
  api.answers = {Work("a0", 0, 0, true), Work("a2", 0, 2)};
  const SessionSummary summary = RunEcho();
  EXPECT_EQ(summary.delivered, 2u) << summary.reason << testing::PrintToString(observer.troubles);
  ASSERT_EQ(api.bases.size(), 3u);
  EXPECT_EQ(api.bases[0], std::nullopt);
  EXPECT_EQ(api.bases[1], Basis(0));
  EXPECT_EQ(api.bases[2], Basis(2));
  EXPECT_TRUE(api.joins[0].subspace);
  EXPECT_EQ(*ReadWholeFile(HeldPath(2), 1 << 20), *ReadWholeFile(BasisPath(2), 1 << 20));
}

TEST_F(SubspaceSessionTest, SendsHowFarItsOwnVectorMovedAndTheBuffers) {
  Assignment work = Work("a", 0, 1);
  ASSERT_THAT(MakeDirectories(state->basis_directory()), IsOk());
  ASSERT_THAT(WriteFileAtomically(HeldPath(0), *ReadWholeFile(BasisPath(0), 1 << 20)), IsOk());
  api.answers = {work};
  EXPECT_EQ(RunEcho().delivered, 1u);
  const ModelSpec spec = CoordinatesUpdateSpec(model.spec, plan_);
  const std::string path = folder.Path("uploaded");
  ASSERT_THAT(WriteFileAtomically(path, api.uploads["a"]), IsOk());
  ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(path, api.upload_headers["a"].payload, spec));
  EXPECT_EQ(reader.manifest().base_id, work.subspace->base_id);
  EXPECT_LE(api.uploads["a"].size() - 4 * kDimension - 4 * 3 - 8, 200u + 2 * 64);  // buffers are segments too
  ModelState update(spec);
  PayloadSource source(reader);
  ASSERT_THAT(ReadModel(source, &update), IsOk());
  double moved = 0;
  for (const float value : update.floats[0]) moved += std::abs(value);
  EXPECT_GT(moved, kDimension * 0.1);
  EXPECT_EQ(update.floats[1], (std::vector<float>{7, 8, 9}));
  EXPECT_EQ(update.ints[2], std::vector<int64_t>{11});
}

// Under a budget buffers are differences to the version's, here none.
TEST_F(SubspaceSessionTest, SendsACodedUpdateOfItsCoordinatesWithDifferencesOfTheBuffers) {
  api.join.plan.update = *UpdatePlan::Parse("rdu:bits=8");
  api.join.plan.uplink = CodecSpec::Update(CodecId::kRdu);
  ASSERT_THAT(api.join.plan.Validate(), IsOk());
  api.answers = {Work("a", 0, 0, true)};
  const SessionSummary summary = RunEcho();
  ASSERT_EQ(summary.delivered, 1u) << summary.reason << testing::PrintToString(observer.troubles);
  EXPECT_LE(api.uploads["a"].size(), kDimension);
  const ModelSpec spec = ReducedUpdateSpec(api.join.plan, CoordinatesUpdateSpec(model.spec, plan_));
  const std::string path = folder.Path("uploaded");
  ASSERT_THAT(WriteFileAtomically(path, api.uploads["a"]), IsOk());
  ASSERT_OK_AND_ASSIGN(const PayloadReader reader, PayloadReader::Open(path, api.upload_headers["a"].payload, spec));
  std::vector<float> buffers(3, NAN);
  ASSERT_THAT(reader.DecodeFloats(1, absl::MakeSpan(buffers)), IsOk());
  EXPECT_THAT(buffers, testing::Each(0.0f));
  std::vector<int64_t> steps(1, 5);
  ASSERT_THAT(reader.DecodeInts(2, absl::MakeSpan(steps)), IsOk());
  EXPECT_EQ(steps[0], 0);
}

// One vector; of its coordinates about two bits each are sent.
class SubspaceErrorTest : public SubspaceSessionTest {
 protected:
  SubspaceErrorTest() {
    plan_.vectors = 1;
    WriteFolded();
    api.join.plan = IgcPlan(plan_);
    exact_ = api.join.plan;
    api.join.plan.update = *UpdatePlan::Parse("rdu:bits=10");
    api.join.plan.uplink = CodecSpec::Update(CodecId::kRdu);
    api.join.plan.error_decay = 0.5;
    EXPECT_THAT(api.join.plan.Validate(), IsOk());
  }

  // What a client, in a new process, sends for an assignment of which the server then says `verdict`.
  std::string Do(const std::string& id, uint64_t epoch, UpdateState verdict) {
    session.reset();
    OpenState();
    api.answers = {Work(id, epoch, epoch, /*snapshot=*/true)};
    const SessionSummary summary = RunEcho();
    EXPECT_EQ(summary.delivered, 1u) << summary.reason << testing::PrintToString(observer.troubles);
    api.settled[id] = {verdict, 0, ""};
    return api.uploads[id];
  }
  PayloadReader Uploaded(const std::string& id, const ModelSpec& spec) {
    const std::string path = folder.Path("uploaded");
    EXPECT_THAT(WriteFileAtomically(path, api.uploads[id]), IsOk());
    return PayloadReader::Open(path, api.upload_headers[id].payload, spec).value();
  }
  std::vector<float> Sent(const std::string& id) {
    const ModelSpec spec = CoordinatesUpdateSpec(model.spec, plan_);
    const PayloadReader reader = Uploaded(id, ReducedUpdateSpec(api.join.plan, spec));
    std::string frame;
    EXPECT_THAT(reader.ReadSegment(0, &frame), IsOk());
    const UpdatePiece piece = ReadUpdateFrame(frame, kDimension).value();
    std::vector<float> sent;
    const auto keep = [&sent](const UpdateLayout::Tensor&, absl::Span<float> values) {
      sent.assign(values.begin(), values.end());
      return absl::OkStatus();
    };
    EXPECT_THAT(DecodeUpdateString(piece.codec, piece.bytes, UpdateLayout(spec), keep), IsOk());
    return sent;
  }
  // How far the client's coordinates moved.
  std::vector<float> Moved(const std::string& id) {
    std::swap(api.join.plan, exact_);
    Do(id, 0, UpdateState::kDiscarded);
    std::swap(api.join.plan, exact_);
    std::vector<float> moved(kDimension);
    EXPECT_THAT(Uploaded(id, CoordinatesUpdateSpec(model.spec, plan_)).DecodeFloats(0, absl::MakeSpan(moved)), IsOk());
    return moved;
  }

  ExchangePlan exact_;
};

TEST_F(SubspaceErrorTest, WhatCoordinatesWereNotSentCountsOnceTheServerHasTakenTheUpdate) {
  const std::string first = Do("a1", 0, UpdateState::kDiscarded);
  EXPECT_EQ(Do("a2", 0, UpdateState::kFolded), first);
  const std::string second = Do("a3", 0, UpdateState::kFailed);
  EXPECT_NE(second, first);
  EXPECT_EQ(Do("a4", 0, UpdateState::kFolded), second) << "a2's error again: a3's never counted";
  const std::vector<float> moved = Moved("m"), a2 = Sent("a2"), a4 = Sent("a4");
  double unsent = 0;
  for (size_t i = 0; i < kDimension; ++i) {
    const double error = moved[i] + 0.5 * (moved[i] - a2[i]) - a4[i];
    unsent += error * error;
  }
  EXPECT_GT(unsent, 0);
  EXPECT_NEAR(*api.upload_headers["a4"].coding.unsent_norm, std::sqrt(unsent), 1e-5);
}

TEST_F(SubspaceErrorTest, WhatCoordinatesWereNotSentIsDroppedAtANewBasis) {
  const std::string fresh = Do("b0", 1, UpdateState::kDiscarded);
  Do("a1", 0, UpdateState::kFolded);
  Do("a2", 0, UpdateState::kFolded);  // one error counts, another waits for the server's word
  EXPECT_EQ(Do("b1", 1, UpdateState::kFolded), fresh);
  const std::vector<std::string> names = *ListDirectory(state->error_directory());
  EXPECT_EQ(std::count_if(names.begin(), names.end(), [](const auto& name) { return absl::EndsWith(name, ".error"); }),
            1)
      << "what is left of the old basis goes";
  EXPECT_NE(Do("b2", 1, UpdateState::kFolded), fresh);
}

TEST_F(SubspaceSessionTest, ABasisThatIsDamagedOnDiskIsDroppedAndAskedFor) {
  ASSERT_THAT(MakeDirectories(state->basis_directory()), IsOk());
  std::string damaged = *ReadWholeFile(BasisPath(0), 1 << 20);
  damaged[1000] = static_cast<char>(damaged[1000] ^ 1);
  ASSERT_THAT(WriteFileAtomically(HeldPath(0), damaged), IsOk());
  api.answers = {Work("a", 0, 0), Work("a", 0, 0, true)};
  EXPECT_EQ(RunEcho().delivered, 1u);
  ASSERT_GE(api.bases.size(), 2u);
  EXPECT_EQ(api.bases[0], Basis(0));
  EXPECT_EQ(api.bases[1], std::nullopt);
}

TEST_F(SubspaceSessionTest, AFoldThatComesToAnotherHashIsDroppedAndAskedFor) {
  Assignment wrong = Work("a", 0, 1);
  wrong.subspace->basis.sha256 = Sha256("something else");
  api.answers = {Work("z", 0, 0, true), wrong, Work("a", 1, 1, true)};
  EXPECT_EQ(RunEcho().delivered, 2u);
  ASSERT_GE(api.bases.size(), 3u);
  EXPECT_EQ(api.bases[1], Basis(0));
  EXPECT_EQ(api.bases[2], std::nullopt);
  EXPECT_THAT(testing::PrintToString(observer.troubles), HasSubstr("another SHA-256"));
}

TEST_F(SubspaceSessionTest, ASnapshotThatIsNotWhatTheServerNamesFailsTheAssignment) {
  Assignment wrong = Work("a", 1, 1, true);
  wrong.subspace->basis.sha256 = Sha256("something else");
  api.answers = {wrong};
  EXPECT_EQ(RunEcho().failed, 1u);
  EXPECT_THAT(api.failures["a"], HasSubstr("the server's own"));
}

TEST_F(SubspaceSessionTest, ADiskThatWasLostIsAskedForWhole) {
  api.answers = {Work("a", 0, 1), Work("a", 1, 1, true)};  // the first as to a client that had a basis
  EXPECT_EQ(RunEcho().delivered, 1u);
  EXPECT_THAT(testing::PrintToString(observer.troubles), HasSubstr("is not here"));
}

TEST_F(SubspaceSessionTest, EvaluatorsMeasureTheExpandedModel) {
  options.role = ClientRole::kEvaluator;
  api.answers = {Work("e", 1, 1, true, AssignmentKind::kEvaluate)};
  EXPECT_EQ(RunEcho().delivered, 1u);
  const std::string expanded = folder.Path("expanded");
  ASSERT_THAT(FoldBasis(BasisPath(1), Matrices(1), Sigma(1), expanded), IsOk());
  std::vector<float> theta(size_);
  ASSERT_THAT(BasisFile::Open(expanded, size_)->Read(0, absl::MakeSpan(theta)), IsOk());
  double squares = 0;
  for (const float value : theta) squares += double{value} * value;
  EXPECT_DOUBLE_EQ(api.evaluations["e"].loss, std::sqrt(squares / static_cast<double>(size_)));
}

TEST_F(SubspaceSessionTest, DrawsInitialWeightsFromTheRunsSeedOnce) {
  api.join.initial_seed = 5;
  api.answers = {Work("a", 0, 1, true), Work("b", 0, 0)};  // another theta_0 than what it draws, as a server sees it
  RunEcho();
  ASSERT_GE(api.bases.size(), 2u);
  ASSERT_TRUE(api.bases[0].has_value());
  EXPECT_EQ(api.bases[0]->epoch, 0u);
  const ModelState drawn = *echo_->Initialize(5);
  std::vector<float> theta = drawn.floats[0];
  theta.insert(theta.end(), drawn.floats[1].begin(), drawn.floats[1].end());
  const std::string path = folder.Path("drawn");
  ASSERT_OK_AND_ASSIGN(const Digest digest, WriteBasis(path, size_, [&](uint64_t first, absl::Span<float> out) {
                         std::copy_n(theta.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
                         return absl::OkStatus();
                       }));
  EXPECT_EQ(api.bases[0]->sha256, digest);
  EXPECT_EQ(api.bases[1], Basis(1)) << "what the server sent took its place";
}

TEST_F(SubspaceSessionTest, AWrongBasisAfterADrawIsNotDrawnAgain) {
  api.join.initial_seed = 5;
  api.answers = {Work("a", 0, 1), Work("a", 0, 1, true)};  // as if the drawn one were the run's, but it is not
  EXPECT_EQ(RunEcho().delivered, 1u);
  ASSERT_GE(api.bases.size(), 2u);
  EXPECT_TRUE(api.bases[0].has_value());
  EXPECT_EQ(api.bases[1], std::nullopt);
}

TEST_F(SubspaceSessionTest, ATrainerThatCannotIsTold) {
  api.answers = {Work("a", 0, 0, true)};
  const SessionSummary summary = RunSession();  // the fake trainer's
  EXPECT_EQ(summary.end, SessionEnd::kRefused);
  EXPECT_THAT(summary.reason, HasSubstr("--weights full"));
  EXPECT_FALSE(api.joins[0].subspace);
}

// A server compares bytes: 3 bits a value, between 8 and 11 models' worth of values.
TEST_F(SubspaceSessionTest, InTheLowestCodecItFoldsAsManyEpochsAsAServerSends) {
  const CodecSpec codec = CodecSpec::Float(2, 0, ScaleRule::kNone);
  plan_.dimension = 20'000;
  plan_.vectors = 1;
  api.join.plan = {codec, Representation::kDelta, codec, plan_};
  const auto bytes = [](const ModelSpec& spec, const CodecSpec& as) {
    return *MaxPayloadSize(spec, Representation::kModel, as);
  };
  const auto more = [&](uint64_t missed) {
    return bytes(CatchUpSpec(model.spec, plan_, codec, missed), codec) -
           bytes(CatchUpSpec(model.spec, plan_, codec, 0), codec);
  };
  uint64_t missed = 0;
  while (more(missed + 1) <= bytes(BasisSpec(model.spec), CodecSpec::Fp32())) ++missed;
  ASSERT_GT(missed, 8 * size_ / plan_.dimension + 5);

  const std::vector<std::vector<float>> sigma(1, std::vector<float>(plan_.dimension, 1.0f));
  for (uint64_t epoch = 0; epoch < missed; ++epoch) {
    ASSERT_THAT(FoldBasis(BasisPath(epoch), Matrices(epoch), sigma, BasisPath(epoch + 1)), IsOk());
  }
  ModelState version(CatchUpSpec(model.spec, plan_, codec, missed));
  std::fill(version.floats[0].begin(), version.floats[0].end(), 1.0f);
  ASSERT_THAT(MakeDirectories(state->basis_directory()), IsOk());
  ASSERT_THAT(WriteFileAtomically(HeldPath(0), *ReadWholeFile(BasisPath(0), 1 << 20)), IsOk());
  Assignment work = MakeAssignment("a");
  work.model = Publish(version, Representation::kModel, codec);
  work.subspace.emplace();
  work.subspace->basis = Basis(missed);
  work.subspace->base_id = Sha256("the version alone");
  api.answers = {work};
  EXPECT_EQ(RunEcho().delivered, 1u) << api.failures["a"];
  EXPECT_EQ(api.bases.back(), Basis(missed));
}

// Its own coordinates, or those of an epoch that it missed: the assignment fails, by name, and the next one is done.
TEST_F(SubspaceSessionTest, CoordinatesThatAreNoNumbersFailTheAssignment) {
  const auto with_nan = [&](Assignment work, size_t index) {
    std::string bytes = api.payloads[work.model.id];
    work.model = PlantValue(work.model, index, NAN, &bytes);
    api.payloads[work.model.id] = bytes;
    return work;
  };
  api.answers = {Work("z", 0, 0, true), with_nan(Work("own", 0, 0), 3), with_nan(Work("missed", 0, 1), 3),
                 Work("next", 0, 1)};
  const SessionSummary summary = RunEcho();
  EXPECT_EQ(summary.failed, 2u);
  EXPECT_EQ(summary.delivered, 2u);
  for (const char* id : {"own", "missed"}) {
    EXPECT_THAT(api.failures[id], testing::AllOf(HasSubstr("segment 0"), HasSubstr("finite"))) << id;
  }
  EXPECT_EQ(api.bases[3], Basis(0)) << "nothing was folded";
}

TEST_F(SubspaceSessionTest, AssignmentsThatMakeNoSenseFail) {
  Assignment vector = Work("v", 0, 0, true);
  vector.subspace->vector = 2;
  Assignment none = Work("n", 0, 0, true);
  none.subspace.reset();
  Assignment many = Work("m", 0, 1);
  many.subspace->basis.epoch = uint64_t{1} << 40;
  api.answers = {vector, none, many};
  EXPECT_EQ(RunEcho().failed, 3u);
  EXPECT_THAT(api.failures["v"], HasSubstr("vector 2"));
  EXPECT_THAT(api.failures["n"], HasSubstr("does not say which"));
  EXPECT_THAT(api.failures["m"], HasSubstr("more than the model"));
}

}  // namespace
}  // namespace thinwire
