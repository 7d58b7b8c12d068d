#include "client/daemon/echo_task.h"

#include "client/train/echo_trainer.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

struct EchoFlags {
  uint64_t parameters = 0;
  uint64_t examples = 1;
};

// With a number of parameters the trainer proposes a model of that size, else it takes whatever the run has.
absl::StatusOr<std::unique_ptr<Trainer>> MakeEcho(const EchoFlags& flags) {
  EchoOptions options;
  options.examples = flags.examples;
  if (flags.parameters == 0) return MakeEchoTrainer(options);
  options.parameters = flags.parameters;
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> any, MakeEchoTrainer(options));
  TW_ASSIGN_OR_RETURN(const ModelState fresh, any->Initialize(0));
  options.spec = fresh.spec;
  return MakeEchoTrainer(options);
}

}  // namespace

ClientTask EchoTask() {
  constexpr uint64_t kMost = uint64_t{1} << 40;
  const auto flags = std::make_shared<EchoFlags>();
  ClientTask task;
  task.name = "echo";
  task.help = "returns the model plus seeded noise";
  task.flags = {
      {"--echo-parameters", "N", &flags->parameters, "size of the model to propose; 0: whatever the run has", 0, kMost},
      {"--echo-examples", "N", &flags->examples, "examples it says it has, its weight", 1, kMost},
  };
  task.make_trainer = [flags](const ClientFlags&) { return MakeEcho(*flags); };
  return task;
}

}  // namespace thinwire
