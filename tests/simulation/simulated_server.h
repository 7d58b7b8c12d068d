// The server of a simulation: the coordinator under test; its driver, workers and journal as models.
#ifndef THINWIRE_TESTS_SIMULATION_SIMULATED_SERVER_H_
#define THINWIRE_TESTS_SIMULATION_SIMULATED_SERVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/round/round_coordinator.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/model_journal.h"
#include "tests/simulation/simulation.h"

namespace thinwire {

class SimulatedServer {
 public:
  struct Callbacks {
    std::function<void(const Assign&)> assigned;
    std::function<void(const std::string& client)> dismissed;
    std::function<void()> restarted;  // all calls that were held are lost
  };

  SimulatedServer(const SimulationOptions& options, EventQueue* queue, Dice* dice, Callbacks callbacks);
  void Start();

  bool up() const { return coordinator_ != nullptr; }
  // Puts an event into the driver's mailbox: it arrives a little later, perhaps out of order, perhaps twice; never, if
  // the server dies before.
  void Post(const Event& event);
  // A complete upload: durable when this returns kReceived. The server must be up.
  AssignmentState Upload(const std::string& id);
  void ReportEvaluation(const std::string& id);
  bool ended() const { return journal_.run_state() >= RunState::kCompleted; }

  // Fills in what the server knows, and what was violated.
  void Report(SimulationReport* report) const;

 private:
  using Accumulator = std::vector<std::string>;

  void Deliver(const Event& event);
  void Execute(const std::vector<Effect>& effects);
  void Act(const Effect& effect);
  void StartFold(const std::string& id);
  void FinishFold(const std::string& id, Accumulator* accumulator);
  void StartPublishing(const CloseRound& close);
  void FinishPublishing(const CloseRound& close);
  void PublishInitialWeights(const std::string& id);
  void Watch();
  void ArmTimer();
  void Die();
  // Runs later, unless this process is dead by then.
  void Later(absl::Duration delay, std::function<void()> action);
  bool IsBad(const std::string& id) const;
  void Violation(const std::string& text) { violations_.push_back(text); }
  uint64_t DueVersions() const;
  void CheckRows(SimulationReport* report) const;
  std::string CheckRow(const ModelJournal::Row& row) const;

  const SimulationOptions options_;
  EventQueue* const queue_;
  Dice* const dice_;
  const Callbacks callbacks_;

  // Survives a kill.
  ModelJournal journal_;
  uint64_t process_ = 0;
  uint64_t kills_ = 0;
  uint64_t events_ = 0;
  uint64_t replacements_ = 0;
  uint64_t trace_ = 0;
  std::map<std::string, Monotonic> committed_at_;  // updates
  std::map<uint32_t, Monotonic> closed_at_;        // rounds: when they stopped taking updates
  std::map<uint32_t, uint32_t> folded_;            // published rounds: updates
  std::vector<std::string> violations_;

  // Does not.
  std::unique_ptr<RoundCoordinator> coordinator_;
  std::shared_ptr<Accumulator> accumulator_;
  Monotonic timer_ = absl::InfiniteDuration();
  Monotonic saved_at_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_SIMULATION_SIMULATED_SERVER_H_
