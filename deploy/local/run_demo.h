// A whole local run: starts a federation, follows it to its end, collects what it came to.
#ifndef THINWIRE_DEPLOY_LOCAL_RUN_DEMO_H_
#define THINWIRE_DEPLOY_LOCAL_RUN_DEMO_H_

#include <string>

#include "absl/status/statusor.h"
#include "deploy/local/demo_options.h"
#include "deploy/local/progress.h"
#include "deploy/local/run_report.h"

namespace thinwire {

// Call from the main thread, with SIGINT and SIGTERM blocked in every thread and readable from `signal_fd`.
//   NOT_FOUND, FAILED_PRECONDITION  something is missing on this machine
//   INVALID_ARGUMENT                the data folder makes no sense
//   CANCELLED                       a signal came; all processes are stopped, the state is kept
//   anything else                   the run failed
// A run that ends in another state than COMPLETED is a report, not an error.
absl::StatusOr<RunReport> RunDemo(const DemoOptions& options, const std::string& programs, int signal_fd,
                                  Progress* progress);

// `wanted` if it is absent or empty, else the first free of `wanted`-2, -3, ...; created; absolute.
absl::StatusOr<std::string> FreshDirectory(const std::string& wanted);

// Fills in what the server knows.
void AddStatus(const v1::Status& status, RunReport* report);
RoundLine ToRoundLine(const v1::RoundSummary& summary);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_RUN_DEMO_H_
