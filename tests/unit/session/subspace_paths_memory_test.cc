// What a session in a subspace takes besides its trainer's model, path by path: peaks of memory of processes that go
// one of them each. A vector below is one of 2^ceil(log2 D) numbers.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/session/basis_keeper.h"
#include "client/train/echo_trainer.h"
#include "common/subspace/basis_file.h"
#include "common/subspace/coordinates.h"
#include "gtest/gtest.h"
#include "tests/testing/process_memory.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

constexpr uint64_t kSize = (uint64_t{1} << 21) - 100;  // D, nearly a power of two: vectors of D count in full
constexpr uint64_t kVector = uint64_t{4} << 21;        // bytes
constexpr uint64_t kSome = 4 << 20;                    // blocks of values, pages, threads
constexpr uint64_t kSeed = 5;

class SubspacePathsMemoryTest : public SessionFixture {
 protected:
  // What is freed is given back at once, not used again unseen.
  static void SetUpTestSuite() { ASSERT_EQ(::mallopt(M_MMAP_THRESHOLD, 64 << 10), 1); }
  SubspacePathsMemoryTest() : large_(*ModelSpec::Create({{"w", {kSize}, DataType::kFloat32, TensorRole::kTrainable}})) {
    plan_.dimension = 1000;
    plan_.vectors = 2;
    api.join.plan = IgcPlan(plan_);
    api.join.run_seed = 9;
    api.join.model = large_;
    api.chunk = 64 << 10;
    echo_.spec = large_;
    const ModelState drawn = *(*MakeEchoTrainer(echo_))->Initialize(kSeed);
    const TemporaryDirectory server;
    std::string basis = server.Path("0");
    bases_.push_back({0, WriteBasis(basis, kSize, [&](uint64_t first, absl::Span<float> out) {
                           std::copy_n(drawn.floats[0].begin() + static_cast<ptrdiff_t>(first), out.size(),
                                       out.begin());
                           return absl::OkStatus();
                         }).value()});
    initial_ = *ReadWholeFile(basis, 1 << 30);
    ModelState whole(BasisSpec(large_));
    whole.floats[0] = drawn.floats[0];
    snapshot_ = Publish(whole);
    for (uint64_t epoch = 0; epoch < 2; ++epoch) {
      const std::string next = server.Path(std::to_string(epoch + 1));
      bases_.push_back({epoch + 1, FoldBasis(basis, *MatricesOfEpoch(plan_, kSize, 9, epoch), Sigma(), next).value()});
      basis = next;
    }
  }
  std::vector<std::vector<float>> Sigma() const {
    return std::vector<std::vector<float>>(plan_.vectors, std::vector<float>(plan_.dimension, 0.01f));
  }
  void Hold() {
    ASSERT_THAT(MakeDirectories(state->basis_directory()), IsOk());
    ASSERT_THAT(WriteFileAtomically(JoinPath(state->basis_directory(), BasisFileName(bases_[0])), initial_), IsOk());
  }
  Assignment Work(uint64_t epoch, AssignmentKind kind = AssignmentKind::kTrain) {
    Assignment work;
    work.id = "a";
    work.kind = kind;
    work.round = 1;
    work.training.learning_rate = 0.5;
    ModelState version(CatchUpSpec(large_, plan_, CodecSpec::Fp32(), epoch));
    std::fill(version.floats[0].begin(), version.floats[0].end(), 0.01f);
    work.model = Publish(version);
    work.subspace.emplace();
    work.subspace->basis = bases_[epoch];
    work.subspace->base_id = Sha256("the version alone");
    return work;
  }

  // Bytes at the peak above those of now, of a process in which a session does `work`.
  uint64_t PeakOf(const Assignment& work) {
    api.answers = {work};
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    ::malloc_trim(0);
    const pid_t child = ::fork();
    if (child == 0) {
      const uint64_t before = PeakMemory(::getpid());
      const std::unique_ptr<Trainer> echo = *MakeEchoTrainer(echo_);
      session = std::make_unique<ClientSession>(
          options, SessionParts{&api, echo.get(), &*state, &clock, &sleeper, &heartbeat_sleeper, &observer});
      const uint64_t peak = session->Run().delivered == 1 ? PeakMemory(::getpid()) - before : ~uint64_t{0};
      ::_exit(::write(ends[1], &peak, sizeof(peak)) == sizeof(peak) ? 0 : 1);
    }
    uint64_t peak = ~uint64_t{0};
    EXPECT_EQ(::close(ends[1]), 0);
    EXPECT_EQ(::read(ends[0], &peak, sizeof(peak)), static_cast<ssize_t>(sizeof(peak)));
    EXPECT_EQ(::close(ends[0]), 0);
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
    return peak;
  }
  static void ExpectVectors(uint64_t peak, uint64_t vectors) {
    EXPECT_LE(peak, vectors * kVector + kSome + kSanitizerMemory);
    EXPECT_GE(peak + kSome, vectors * kVector) << "less than it was: say so in docs/igc.md";
  }

  const ModelSpec large_;
  SubspacePlan plan_;
  EchoOptions echo_;
  std::string initial_;  // theta_0's bytes
  PayloadRef snapshot_;
  std::vector<HeldBasis> bases_;
};

TEST_F(SubspacePathsMemoryTest, ASnapshotIsTakenBlockByBlock) {
  Assignment work = Work(0);
  work.subspace->snapshot = snapshot_;
  ExpectVectors(PeakOf(work), 0);
}

TEST_F(SubspacePathsMemoryTest, WeightsThatAreDrawnAreOneVector) {
  api.join.initial_seed = kSeed;
  ExpectVectors(PeakOf(Work(0)), 1);
}

TEST_F(SubspacePathsMemoryTest, EpochsThatWereMissedAreFoldedInOneVector) {
  Hold();
  ExpectVectors(PeakOf(Work(2)), 1);
}

TEST_F(SubspacePathsMemoryTest, ToEvaluateTakesTheExpandedModelAndOneVector) {
  Hold();
  options.role = ClientRole::kEvaluator;
  ExpectVectors(PeakOf(Work(2, AssignmentKind::kEvaluate)), 2);
}

}  // namespace
}  // namespace thinwire
