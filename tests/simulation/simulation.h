// A whole federation in one thread: the coordinator with a driver, workers and a journal that are models of the real
// ones, and a crowd of clients that train, fail, die, come back, are slow, ask twice and deliver late. Time is
// simulated; the same options give the same run, effect by effect.
#ifndef THINWIRE_TESTS_SIMULATION_SIMULATION_H_
#define THINWIRE_TESTS_SIMULATION_SIMULATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/rng.h"
#include "server/round/records.h"
#include "server/round/round_options.h"

namespace thinwire {

// Probabilities, each per occasion.
struct Faults {
  double kill = 0;  // of the server, per event it takes
  double publish_fails = 0;
  double abort = 0;         // of a round, when it opens
  double bad_update = 0;    // that cannot be folded
  double client_dies = 0;   // while working
  double client_fails = 0;  // and says so
  double client_slow = 0;   // 30 times
  double lease_lost = 0;    // though the client lives
  double message_lost = 0;
  double message_twice = 0;
};

struct SimulationOptions {
  uint64_t seed = 0;
  uint32_t trainers = 100;
  uint32_t evaluators = 1;
  RoundOptions round;
  Faults faults;
  absl::Duration stop_after = absl::InfiniteDuration();
};

struct SimulationReport {
  RunState state = RunState::kInitializing;
  uint64_t versions = 0;  // published, the initial one included
  uint64_t failed_rounds = 0;
  uint64_t events = 0;  // that coordinators took
  uint64_t kills = 0;
  uint64_t acknowledged = 0;  // updates
  uint64_t folded = 0;        // updates that are part of a version
  uint64_t replacements = 0;  // assignments beyond those at the opening of a round
  uint64_t evaluations = 0;
  uint64_t trace = 0;                   // hash of all effects and their times
  std::vector<std::string> violations;  // empty if everything held
};

SimulationReport Simulate(const SimulationOptions& options);

// Draws that read like sentences. Not thread-safe.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(DeriveKey({seed, KeyWord("simulation")})) {}
  bool Chance(double probability) { return random_.NextDouble() < probability; }
  absl::Duration Between(absl::Duration low, absl::Duration high) { return low + (high - low) * random_.NextDouble(); }
  size_t Below(size_t bound) { return static_cast<size_t>(random_.Below(bound)); }

 private:
  RandomStream random_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_SIMULATION_SIMULATION_H_
