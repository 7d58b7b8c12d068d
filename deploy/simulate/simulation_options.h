// What `thinwire-simulate` can be told; usage.txt explains the flags.
#ifndef THINWIRE_DEPLOY_SIMULATE_SIMULATION_OPTIONS_H_
#define THINWIRE_DEPLOY_SIMULATE_SIMULATION_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace thinwire {

struct SimulationOptions {
  uint32_t clients = 100;
  uint32_t clients_per_round = 10;
  uint32_t rounds = 10;
  std::string plan = "s1e3m7";
  std::string task = "classify";
  std::string model = "cnn";
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string audio;             // speech: folder of the recordings; empty: the index's own
  double dropout = 0.1;          // speech and text
  std::string vocabulary;        // text: file of the words; empty: from the training data
  uint64_t words = 8000;         // text: at most, of a vocabulary from the training data
  std::string test_set = "dev";  // text: dev or test
  uint64_t test_samples = 0;     // text: 0: all
  std::string augment = "auto";  // classify
  std::string weights = "full";  // in the clients' memory
  std::string start;             // safetensors; empty: from the seed
  std::string partition = "dirichlet:0.3";
  uint64_t samples = 0;           // 0: all
  uint64_t parameters = 100'000;  // echo
  uint64_t examples = 1;          // echo: of each client
  uint32_t epochs = 1;
  uint32_t batch = 32;
  double learning_rate = 0.02;
  double momentum = 0.9;
  std::string strategy = "fedavg";
  double server_rate = 0;  // 0: the strategy's default
  std::string aggregator = "mean";
  double trim = 0.1;            // trimmed-mean
  uint32_t evaluate_every = 1;  // 0: never
  uint64_t seed = 1;
  uint32_t threads = 0;  // 0: as many as there are cores
  std::string state = "out/simulate";
  std::string keep_updates;  // folder; empty: they are not kept
  bool no_sync = false;
  std::string format = "text";
  bool help = false;
};

// `arguments` without the program's name; "--name value" or "--name=value". INVALID_ARGUMENT names the flag, the value
// and what is accepted. Everything that can be known without the data is checked here.
absl::StatusOr<SimulationOptions> ParseSimulationOptions(const std::vector<std::string>& arguments);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_SIMULATION_OPTIONS_H_
