// The clients of a simulation.
#ifndef THINWIRE_TESTS_SIMULATION_SIMULATED_CLIENTS_H_
#define THINWIRE_TESTS_SIMULATION_SIMULATED_CLIENTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/round/events.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/simulated_server.h"
#include "tests/simulation/simulation.h"

namespace thinwire {

class SimulatedClients {
 public:
  SimulatedClients(const SimulationOptions& options, EventQueue* queue, Dice* dice);
  void Start(SimulatedServer* server);

  // What the server says.
  void Assigned(const Assign& assign);
  void Dismissed(const std::string& client);
  void ServerRestarted();

 private:
  enum class Doing { kWaiting, kWorking, kDead, kDone };
  struct Client {
    std::string name;
    Role role = Role::kTrainer;
    Doing doing = Doing::kWorking;
    uint64_t turn = 0;  // counts what it has begun; whatever was planned for an earlier turn is void
    absl::Duration usual_time;
  };

  // Runs later, unless the client has begun something else by then.
  void Later(Client* client, absl::Duration delay, std::function<void()> action);
  void Begin(Client* client, Doing doing);
  void Ask(Client* client);
  void Work(Client* client, const Assign& assign);
  void Deliver(Client* client, const Assign& assign);
  void Upload(Client* client, const std::string& id);
  void Die(Client* client);
  void WatchLease(Client* client);
  absl::Duration RetryDelay() { return dice_->Between(absl::Milliseconds(200), absl::Seconds(5)); }

  const SimulationOptions options_;
  EventQueue* const queue_;
  Dice* const dice_;
  SimulatedServer* server_ = nullptr;
  std::vector<Client> clients_;
  std::map<std::string, Client*> by_name_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_SIMULATION_SIMULATED_CLIENTS_H_
