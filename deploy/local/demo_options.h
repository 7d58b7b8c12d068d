// What `thinwire-local` can be told; usage.txt explains the options.
#ifndef THINWIRE_DEPLOY_LOCAL_DEMO_OPTIONS_H_
#define THINWIRE_DEPLOY_LOCAL_DEMO_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/codec/exchange_plan.h"

namespace thinwire {

struct DemoOptions {
  uint32_t clients = 10;
  uint32_t rounds = 10;
  std::string plan = "s1e3m7";
  std::string model = "cnn";
  std::string weights = "full";  // in the clients' memory
  std::string augment = "auto";
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string partition = "dirichlet:0.3";
  uint64_t samples = 0;  // 0 = all
  double learning_rate = 0.02;
  double momentum = 0.9;
  uint32_t batch = 32;
  uint32_t local_epochs = 1;
  uint64_t seed = 1;
  std::string out = "out/demo";
  bool json = false;
  bool help = false;
};

// `arguments` without the program's name; "--name value" or "--name=value". INVALID_ARGUMENT names the option, the
// value and what is accepted. Everything that can be known without the data is checked here.
absl::StatusOr<DemoOptions> ParseDemoOptions(const std::vector<std::string>& arguments);

// The plan that `text` (--plan) names, for both directions.
absl::StatusOr<ExchangePlan> ParsePlan(const std::string& text);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_DEMO_OPTIONS_H_
