// The server's configuration for a simulated run.
#ifndef THINWIRE_DEPLOY_SIMULATE_SIMULATION_CONFIG_H_
#define THINWIRE_DEPLOY_SIMULATE_SIMULATION_CONFIG_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "deploy/simulate/simulation_options.h"
#include "server/config/config.h"

namespace thinwire {

// Everything that shapes the result is as in a federation of processes: with the same flags, the same model. Time is
// not simulated, so what depends on it (deadlines, leases, heartbeats) is set so far away that it never comes.
// `largest` is the size of the largest client's data set. INVALID_ARGUMENT as ParseConfig.
absl::StatusOr<ServerConfig> SimulationConfig(const SimulationOptions& options, uint64_t largest,
                                              const std::string& state_directory);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_SIMULATION_CONFIG_H_
