// The server's configuration for a local run.
#ifndef THINWIRE_DEPLOY_LOCAL_RUN_CONFIG_H_
#define THINWIRE_DEPLOY_LOCAL_RUN_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "deploy/local/demo_options.h"

namespace thinwire {

// The text of a FederationConfig. The server takes free ports, so that several runs and other servers live side by
// side; it writes the ones it got to `state_directory`/endpoints.json.
absl::StatusOr<std::string> RunConfigText(const DemoOptions& options, const std::string& state_directory);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_RUN_CONFIG_H_
