// thinwire-client with LibTorch in it; thinwire-client starts it for --task classify.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/daemon/classify_task.h"
#include "client/daemon/client_program.h"
#include "client/train/local_data.h"
#include "client/train/torch_trainer.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status NameFlag(const char* flag, const absl::Status& status) {
  return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat(flag, ": ", status.message()));
}

absl::StatusOr<Dataset> LoadShard(const ClassifyFlags& flags) {
  LocalDataOptions options;
  options.folder = flags.data;
  options.seed = flags.seed;
  options.samples = flags.samples;
  const absl::StatusOr<PartitionRule> rule = PartitionRule::Parse(flags.partition);
  TW_RETURN_IF_ERROR(NameFlag("--partition", rule.status()));
  options.rule = *rule;
  const absl::StatusOr<Shard> shard = Shard::Parse(flags.shard);
  TW_RETURN_IF_ERROR(NameFlag("--shard", shard.status()));
  options.shard = *shard;
  return LoadTrainingShard(options);
}

absl::StatusOr<std::unique_ptr<Trainer>> MakeClassifier(const ClientFlags& client, const ClassifyFlags& flags) {
  Dataset train, test;
  if (client.role == "evaluator") {
    TW_ASSIGN_OR_RETURN(test, LoadTestSet(flags.data));
  } else {
    TW_ASSIGN_OR_RETURN(train, LoadShard(flags));
  }
  TorchTrainerOptions options;
  options.model = flags.model;
  options.device = flags.device;
  options.threads = static_cast<int>(flags.threads);
  return MakeTorchTrainer(options, std::move(train), std::move(test));
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  thinwire::ClientProgram program;
  program.tasks = {thinwire::ClassifyTask(thinwire::MakeClassifier)};
  return thinwire::RunClientProgram(std::vector<std::string>(argv + 1, argv + argc), std::move(program));
}
