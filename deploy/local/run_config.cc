#include "deploy/local/run_config.h"

#include <google/protobuf/text_format.h>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "thinwire/v1/config.pb.h"

namespace thinwire {

absl::StatusOr<std::string> RunConfigText(const DemoOptions& options, const std::string& state_directory) {
  TW_ASSIGN_OR_RETURN(const ExchangePlan plan, ParsePlan(options.plan));
  v1::FederationConfig config;
  config.mutable_run()->set_name("demo");
  config.mutable_run()->set_rounds(options.rounds);
  config.mutable_run()->set_seed(options.seed);
  config.mutable_listen()->set_federation("127.0.0.1:0");
  config.mutable_listen()->set_control("127.0.0.1:0");
  config.mutable_listen()->set_http("127.0.0.1:0");
  config.mutable_security()->set_insecure(true);  // everything stays on this machine
  config.mutable_storage()->set_directory(state_directory);
  config.mutable_model()->set_from_client_seed(options.seed);
  *config.mutable_plan()->mutable_explicit_() = ToProto(plan);
  // Every trainer takes part in every round, and a missing one is worth waiting for: the launcher sees a dead process.
  config.mutable_round()->set_clients(options.clients);
  config.mutable_training()->set_local_epochs(options.local_epochs);
  config.mutable_training()->set_batch_size(options.batch);
  config.mutable_training()->set_learning_rate(options.learning_rate);
  config.mutable_training()->mutable_sgd()->set_momentum(options.momentum);
  config.mutable_evaluation()->set_every(1);
  std::string text;
  if (!google::protobuf::TextFormat::PrintToString(config, &text)) {
    return absl::InternalError("the configuration cannot be printed");
  }
  return absl::StrCat("# Written by thinwire-local; explained in proto/thinwire/v1/config.proto.\n", text);
}

}  // namespace thinwire
