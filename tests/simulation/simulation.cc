#include "tests/simulation/simulation.h"

#include "tests/simulation/event_queue.h"
#include "tests/simulation/simulated_clients.h"
#include "tests/simulation/simulated_server.h"

namespace thinwire {
namespace {

constexpr uint64_t kMostSteps = 5'000'000;

// Operators repeat themselves until they are heard.
void StopAfter(absl::Duration delay, EventQueue* queue, SimulatedServer* server) {
  if (delay == absl::InfiniteDuration()) return;
  queue->After(delay, [queue, server] {
    if (server->ended()) return;
    if (server->up()) server->Post(StopRequested{"operator: enough"});
    StopAfter(absl::Seconds(30), queue, server);
  });
}

}  // namespace

SimulationReport Simulate(const SimulationOptions& options) {
  EventQueue queue;
  Dice dice(options.seed);
  SimulatedClients clients(options, &queue, &dice);
  SimulatedServer server(
      options, &queue, &dice,
      {[&](const Assign& assign) { clients.Assigned(assign); },
       [&](const std::string& client) { clients.Dismissed(client); }, [&] { clients.ServerRestarted(); }});
  clients.Start(&server);
  server.Start();
  StopAfter(options.stop_after, &queue, &server);
  uint64_t steps = 0;
  while (steps < kMostSteps && queue.RunNext()) ++steps;
  SimulationReport report;
  if (steps == kMostSteps) report.violations.push_back("the run does not end");
  server.Report(&report);
  return report;
}

}  // namespace thinwire
