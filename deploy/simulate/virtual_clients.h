// Thousands of clients in one process. One that waits is a held call of the server and nothing else; one that has work
// takes a turn: a ClientSession on one of few worker threads, with a borrowed trainer and folder.
#ifndef THINWIRE_DEPLOY_SIMULATE_VIRTUAL_CLIENTS_H_
#define THINWIRE_DEPLOY_SIMULATE_VIRTUAL_CLIENTS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session/client_session.h"
#include "common/base/mutex.h"
#include "deploy/simulate/embedded_server.h"
#include "deploy/simulate/memory_federation_api.h"
#include "deploy/simulate/model_shelf.h"
#include "deploy/simulate/simulation_task.h"

namespace thinwire {

struct VirtualClientsOptions {
  uint32_t trainers = 1;  // "trainer-0" and so on: the names, and with them the seeds, of the demo's processes
  // Worker threads, at least 1. There is an evaluator for each, so that evaluations keep up with rounds.
  uint32_t threads = 1;
  std::string directory;  // for the workers' folders
  // A client cannot go on, which makes the run pointless. Called on a worker's thread, at most once.
  std::function<void(const absl::Status&)> failed = [](const absl::Status&) {};
};

// Start and Stop from one thread.
class VirtualClients {
 public:
  // Both must outlive it, and the server must be shut down before it is destroyed.
  VirtualClients(VirtualClientsOptions options, const SimulationTask* task, EmbeddedServer* server);
  ~VirtualClients();

  // All join, then all begin to wait in one step of the server's driver: the first round chooses among all of them.
  // Errors: those of the task and of Join.
  absl::Status Start();
  // Turns under way are broken off, no new ones begin.
  void Stop();

 private:
  // Trainers come first, then evaluators.
  using ClientIndex = uint32_t;
  struct Work {
    ClientIndex client = 0;
    Assignment assignment;
  };
  struct Worker {
    std::unique_ptr<WorkerTrainer> trainer;
    std::string folder;
    std::thread thread;
    ClientSession* session = nullptr;  // under mutex_
  };

  bool IsEvaluator(ClientIndex client) const { return client >= options_.trainers; }
  std::string NameOf(ClientIndex client) const;
  absl::Status Join(ClientIndex client);
  // What every client does for itself before it asks for work (ClientSession::DrawInitial), done once for all.
  absl::Status DrawInitial();
  void WaitOnDriver(ClientIndex client);
  void Answered(ClientIndex client, absl::StatusOr<v1::AwaitAssignmentResponse> answer);
  void Loop(Worker* worker);
  std::optional<Work> NextWork();
  // What a client would have on its disk: the basis of its epoch. The server's own file lies in its place, for a turn
  // folds or takes nothing that all others do not come to as well; what a client is sent is fetched and counted.
  absl::Status LayOutBasis(const Work& work, const StateFolder& folder) const;
  // The model that the client has, where it is sent what changed since.
  absl::Status LayOutModel(const Work& work, const StateFolder& folder) const;
  // What earlier updates of the client did not send: a folder that stays, however its turns wander among workers.
  absl::Status LayOutError(const Work& work, const StateFolder& folder) const;
  absl::Status TakeTurn(const Work& work, Worker* worker);
  SessionSummary RunSession(ClientRole role, const SessionParts& parts, Worker* worker);
  void Fail(const absl::Status& status);

  const VirtualClientsOptions options_;
  const SimulationTask* const task_;
  EmbeddedServer* const server_;
  JoinReply joined_;  // the same for all
  Mutex mutex_;
  CondVar changed_;
  std::deque<Work> queue_ TW_GUARDED_BY(mutex_);
  bool stopping_ TW_GUARDED_BY(mutex_) = false;
  bool failed_ TW_GUARDED_BY(mutex_) = false;
  std::vector<Worker> workers_;
  // In a subspace: the basis that each client has. A client's own entry, which only its turns and calls touch.
  std::vector<std::optional<HeldBasis>> bases_;
  std::optional<ModelShelf> models_;  // where clients are sent what changed
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_SIMULATE_VIRTUAL_CLIENTS_H_
