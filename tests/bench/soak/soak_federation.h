// A federation of echo clients in which processes are killed, over and over, at instants drawn from a seed.
#ifndef THINWIRE_TESTS_BENCH_SOAK_SOAK_FEDERATION_H_
#define THINWIRE_TESTS_BENCH_SOAK_SOAK_FEDERATION_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/testing/cluster.h"

namespace thinwire {

struct SoakOptions {
  uint32_t server_kills = 1000;
  uint32_t client_kills = 1000;
  uint64_t seed = 1;
  uint64_t parameters = 50'000;
  int clients = 4;
};

struct KillCounts {
  uint32_t starting = 0;       // before the server served
  uint32_t serving = 0;        // at a random instant after that
  uint32_t at_fail_point = 0;  // at a named instant between a byte and its commit
  uint32_t clients = 0;
};

// Every client's update is needed for every round, so that the cohort, and with it the model, cannot depend on when
// somebody was killed. Used from the main thread.
class SoakFederation {
 public:
  // Works in `folder`, which must exist.
  SoakFederation(SoakOptions options, const std::string& folder);

  absl::Status Start(uint32_t rounds);
  // After each kill: told(kills so far).
  absl::Status KillServers(const std::function<void(uint32_t)>& told);
  absl::Status KillClients(const std::function<void(uint32_t)>& told);
  // Waits for one more version, so that the last kill is survived too.
  absl::Status AwaitProgress();
  // Ends the run (as an operator would, unless it has done its rounds), the clients and the server; the exported
  // model's path.
  absl::StatusOr<std::string> StopRun();
  absl::StatusOr<std::string> AwaitRounds();

  // The receipts that clients have logged: "ASSIGNMENT STATE", in the order of each client's log.
  std::vector<std::string> Receipts() const;
  std::string journal_path() const { return cluster_.state() + "/journal.db"; }
  uint64_t version();
  const KillCounts& counts() const { return counts_; }
  const SoakOptions& options() const { return options_; }
  Cluster& cluster() { return cluster_; }

 private:
  uint64_t Draw(const char* what, uint64_t below);
  absl::Status KillServerOnce();
  absl::Status CheckClientsRun();
  absl::StatusOr<std::string> EndProcesses(const v1::Status& status);

  const SoakOptions options_;
  Cluster cluster_;
  std::string config_;
  KillCounts counts_;
  uint64_t draws_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_BENCH_SOAK_SOAK_FEDERATION_H_
