// Rounds on a state directory, in processes that die at every instant that has a name: whatever the instant, the run
// that is resumed until it ends has exactly the weights of the run that was never disturbed.
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "server/store/fail_point.h"
#include "server/store/spool.h"
#include "tests/unit/store/store_fixture.h"

namespace thinwire {
namespace {

constexpr uint32_t kRounds = 2;
constexpr int kClients = 3;
constexpr int kDone = 42;  // exit status of a process that ended the run
constexpr size_t kChunk = 400;

std::string AssignmentId(uint32_t round, int client) { return absl::StrCat("r", round, "-", client); }

// What a server does, in the order in which it must, with clients that remember nothing but their data. Every step
// starts from what is durable.
class Runner {
 public:
  Runner(const std::string& directory, const std::optional<SubspacePlan>& subspace)
      : directory_(directory),
        state_(State::Open(directory, 2, CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo), subspace)) {}

  absl::Status Run() {
    if (!state_.models->Latest().has_value()) {
      TW_RETURN_IF_ERROR(state_.models->ImportSafetensors(JoinPath(directory_, "initial.safetensors")).status());
    }
    TW_RETURN_IF_ERROR(OpenSpool());
    while (state_.models->Latest()->version < kRounds) TW_RETURN_IF_ERROR(RunRound());
    return absl::OkStatus();
  }

 private:
  uint32_t round() const { return static_cast<uint32_t>(state_.models->Latest()->version) + 1; }

  absl::Status OpenSpool() {
    SpoolContents contents;
    TW_ASSIGN_OR_RETURN(const std::vector<UpdateRow> rows, state_.journal->AssignmentsOf(round()));
    for (const UpdateRow& row : rows) {
      if (row.assignment.state == AssignmentState::kTraining) contents.open_assignments.push_back(row.assignment.id);
      if (row.assignment.state == AssignmentState::kReceived) contents.received_files.push_back(row.spool_file);
    }
    TW_ASSIGN_OR_RETURN(spool_, Spool::Open({JoinPath(directory_, "spool")}, contents));
    return absl::OkStatus();
  }

  absl::Status RunRound() {
    std::vector<AssignmentRecord> assignments;
    std::vector<std::string> ids;
    for (int client = 0; client < kClients; ++client) {
      AssignmentRecord record;
      record.id = AssignmentId(round(), client);
      record.round = round();
      assignments.push_back(record);
      ids.push_back(record.id);
    }
    TW_RETURN_IF_ERROR(state_.journal->PutAssignments(assignments));
    for (int client = 0; client < kClients; ++client) TW_RETURN_IF_ERROR(Upload(client));
    TW_RETURN_IF_ERROR(Publish(ids));
    for (const std::string& id : ids) TW_RETURN_IF_ERROR(spool_->Discard(id));
    return absl::OkStatus();
  }

  absl::Status Upload(int client) {
    const std::string id = AssignmentId(round(), client);
    TW_ASSIGN_OR_RETURN(const std::optional<UpdateRow> row, state_.journal->FindAssignment(id));
    if (!row.has_value()) return absl::NotFoundError(id);
    if (row->assignment.state != AssignmentState::kTraining) return absl::OkStatus();  // acknowledged: never sent again
    TW_ASSIGN_OR_RETURN(const PayloadRef payload, EncodeUpdate(client));
    TW_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(UpdatePath(), 1 << 20));
    TW_ASSIGN_OR_RETURN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin(id, payload));
    for (uint64_t offset = upload->received(); offset < bytes.size(); offset += kChunk) {
      TW_RETURN_IF_ERROR(upload->Append(offset, absl::string_view(bytes).substr(offset, kChunk)));
    }
    UpdateRow update;
    update.assignment.id = id;
    update.payload = payload;
    update.examples = static_cast<uint64_t>(client) + 1;
    TW_ASSIGN_OR_RETURN(update.spool_file, upload->Complete());
    return state_.journal->ReceiveUpdate(update).status();
  }

  // A client's delta depends on round and client only.
  absl::StatusOr<PayloadRef> EncodeUpdate(int client) {
    TW_ASSIGN_OR_RETURN(const auto base, state_.models->Downlink(state_.models->Latest()->version));
    ModelState delta(*state_.models->spec());
    float value = 0.001f * static_cast<float>(round() * 10 + static_cast<uint32_t>(client));
    for (float& x : delta.floats[0]) x = value *= 1.01f;
    delta.ints[2] = {round()};
    ModelStateSource source(delta);
    return EncodePayload(delta.spec, {Representation::kDelta, CodecSpec::Fp32(), base->ref().id}, source, UpdatePath());
  }

  absl::Status Publish(const std::vector<std::string>& ids) {
    const uint64_t version = state_.models->Latest()->version;
    TW_ASSIGN_OR_RETURN(const auto base, state_.models->Downlink(version));
    const std::unique_ptr<Accumulator> accumulator = NewAccumulator(*state_.models->spec());
    for (const std::string& id : ids) {
      TW_ASSIGN_OR_RETURN(const std::optional<UpdateRow> row, state_.journal->FindAssignment(id));
      if (!row.has_value()) return absl::NotFoundError(id);
      const FoldRequest request{
          spool_->PathOf(row->spool_file), row->payload, &base->reader(), base->ref().id, row->examples, 1000};
      TW_RETURN_IF_ERROR(FoldUpdate(*state_.models->spec(), request, accumulator.get()).status());
    }
    PublishVersion request;
    request.base_version = version;
    request.new_version = version + 1;
    request.aggregate = accumulator.get();
    request.strategy.kind = StrategyOptions::Kind::kFedAvgM;
    request.round = ClosedRound(round());
    request.folded = ids;
    return state_.models->Publish(request).status();
  }

  std::string UpdatePath() const { return JoinPath(directory_, "client_update"); }

  const std::string directory_;
  State state_;
  std::unique_ptr<Spool> spool_;
};

// One life of the server, which ends at the fail point or at the end of the run.
int Live(const std::string& directory, const std::string& fail_point, const std::optional<SubspacePlan>& subspace) {
  const pid_t child = fork();
  if (child == 0) {
    if (!ArmFailPoint(fail_point).ok()) _exit(1);
    const absl::Status status = Runner(directory, subspace).Run();
    if (!status.ok()) fprintf(stderr, "%s\n", status.ToString().c_str());
    _exit(status.ok() ? kDone : 2);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

std::string FinalFiles(const std::string& directory) {
  const std::string name = absl::StrCat("v0000000", kRounds);
  std::string all;
  for (const char* ending : {".safetensors", ".state"}) {
    absl::StrAppend(&all, *ReadWholeFile(JoinPath(JoinPath(directory, "versions"), name + ending), 1 << 20));
  }
  return all + *ReadWholeFile(JoinPath(JoinPath(directory, "payloads"), name + ".payload"), 1 << 20);
}

// Files of the last epoch's basis, if there are epochs.
std::string BasisFiles(const std::string& directory) {
  std::string all;
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(JoinPath(directory, "bases"));
  for (size_t i = 0; names.ok() && i < names->size(); ++i) {
    absl::StrAppend(&all, (*names)[i], *ReadWholeFile(JoinPath(JoinPath(directory, "bases"), (*names)[i]), 1 << 20));
  }
  return all;
}

struct Instant {
  std::string point;
  bool subspace = false;  // every version ends an epoch
};

class CrashTest : public ::testing::TestWithParam<Instant> {
 protected:
  int Live(const std::string& directory, const std::string& fail_point) {
    std::optional<SubspacePlan> plan;
    if (GetParam().subspace) {
      plan.emplace();
      plan->dimension = 20;
      plan->epoch_rounds = 1;
    }
    return thinwire::Live(directory, fail_point, plan);
  }
};

TEST_P(CrashTest, ARunThatDiesHereAndGoesOnEndsWithTheVeryWeightsOfOneThatDoesNot) {
  const ModelState model = SmallModel(/*with_frozen=*/!GetParam().subspace);
  TemporaryDirectory undisturbed;
  WriteModel(model, JoinPath(undisturbed.path(), "initial.safetensors"));
  ASSERT_EQ(Live(undisturbed.path(), ""), kDone << 8);

  // The n-th passage, for every n until the run ends without passing the point that often.
  int deaths = 0;
  for (int passage = 1;; ++passage) {
    TemporaryDirectory directory;
    WriteModel(model, JoinPath(directory.path(), "initial.safetensors"));
    const int first_life = Live(directory.path(), absl::StrCat(GetParam().point, ":", passage));
    if (WIFEXITED(first_life)) {
      ASSERT_EQ(WEXITSTATUS(first_life), kDone) << GetParam().point << ":" << passage;
      break;
    }
    ASSERT_EQ(WTERMSIG(first_life), SIGKILL);
    ++deaths;
    ASSERT_EQ(Live(directory.path(), ""), kDone << 8) << "resumed after " << GetParam().point << ":" << passage;
    EXPECT_TRUE(FinalFiles(directory.path()) == FinalFiles(undisturbed.path())) << GetParam().point << ":" << passage;
    EXPECT_TRUE(BasisFiles(directory.path()) == BasisFiles(undisturbed.path())) << GetParam().point << ":" << passage;
    EXPECT_THAT(*ListDirectory(JoinPath(directory.path(), "spool")), ::testing::ElementsAre("boot_id"));
  }
  EXPECT_GE(deaths, 2) << "the fail point was not passed in every round";
}

std::vector<Instant> Instants() {
  std::vector<Instant> instants;
  for (const std::string& point : FailPointNames()) {
    if (point.find("basis") == std::string::npos) instants.push_back({point, false});
    instants.push_back({point, true});
  }
  return instants;
}

INSTANTIATE_TEST_SUITE_P(EveryInstant, CrashTest, ::testing::ValuesIn(Instants()), [](const auto& instant) {
  std::string name = instant.param.point + (instant.param.subspace ? "_in_epochs" : "");
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace thinwire
