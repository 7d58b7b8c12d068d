// What a simulated run came to, for people and as JSON.
#ifndef THINWIRE_DEPLOY_SIMULATE_SIMULATION_REPORT_H_
#define THINWIRE_DEPLOY_SIMULATE_SIMULATION_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deploy/local/run_report.h"
#include "deploy/simulate/simulation_options.h"
#include "server/service/traffic_meter.h"

namespace thinwire {

// There is no wire, so there are payload bytes only: those that processes would have sent.
struct SimulationReport {
  SimulationOptions options;
  std::string state;   // "COMPLETED", ...
  std::string reason;  // why, if not completed
  std::vector<RoundLine> rounds;
  std::optional<double> accuracy;  // of the last version evaluated
  ByteCounts trainer_down;
  ByteCounts trainer_up;
  ByteCounts evaluator_down;
  double seconds = 0;  // all in all
  ProcessUsage usage;  // of this process
  std::string directory;
  std::string model_path;    // exported model, safetensors
  std::string model_sha256;  // of that file
};

std::string ToText(const SimulationReport& report);
// Snake-case keys, bytes as integers; one object, two-space indent.
std::string ToJson(const SimulationReport& report);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_SIMULATION_REPORT_H_
