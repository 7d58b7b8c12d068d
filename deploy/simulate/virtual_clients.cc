#include "deploy/simulate/virtual_clients.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <future>
#include <system_error>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/rpc/federation_convert.h"
#include "client/session/basis_keeper.h"
#include "client/session/state_folder.h"
#include "client/session/update_encoder.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/model_state.h"

namespace thinwire {
namespace {

// States come by the thousand: only trouble is worth a line.
class TroubleObserver : public SessionObserver {
 public:
  explicit TroubleObserver(std::string client) : client_(std::move(client)) {}
  void OnState(SessionState, const std::string&) override {}
  void OnTrouble(const absl::Status& error, const std::string& next) override {
    spdlog::warn("trouble client={} error=\"{}\" next=\"{}\"", client_, error.ToString(), next);
  }
  void OnProgress(const std::string&) override {}

 private:
  const std::string client_;
};

// What another client left in the worker's folder is not this one's.
absl::StatusOr<StateFolder> FreshFolder(const std::string& path, const std::string& client) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return absl::InternalError(absl::StrCat("cannot clear ", path, ": ", error.message()));
  return StateFolder::Open(path, client);
}

}  // namespace

VirtualClients::VirtualClients(VirtualClientsOptions options, const SimulationTask* task, EmbeddedServer* server)
    : options_(std::move(options)), task_(task), server_(server) {}

VirtualClients::~VirtualClients() { Stop(); }

std::string VirtualClients::NameOf(ClientIndex client) const {
  return IsEvaluator(client) ? absl::StrCat("evaluator-", client - options_.trainers)
                             : absl::StrCat("trainer-", client);
}

absl::Status VirtualClients::Start() {
  workers_.resize(options_.threads);
  for (uint32_t i = 0; i < options_.threads; ++i) {
    TW_ASSIGN_OR_RETURN(workers_[i].trainer, task_->MakeWorkerTrainer());
    workers_[i].folder = JoinPath(options_.directory, absl::StrCat("worker-", i));
  }
  const ClientIndex everybody = options_.trainers + options_.threads;
  bases_.resize(everybody);
  for (ClientIndex client = 0; client < everybody; ++client) TW_RETURN_IF_ERROR(Join(client));
  if (SendsChanges(joined_.plan)) models_.emplace(JoinPath(options_.directory, "models"), everybody);
  TW_RETURN_IF_ERROR(DrawInitial());
  for (Worker& worker : workers_) worker.thread = std::thread([this, &worker] { Loop(&worker); });
  return server_->driver().TryRun([this, everybody] {
    for (ClientIndex client = 0; client < everybody; ++client) WaitOnDriver(client);
  });
}

absl::Status VirtualClients::DrawInitial() {
  const bool of_use = joined_.plan.subspace.has_value() || models_.has_value();
  if (!of_use || !joined_.initial_seed.has_value()) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(Trainer* const trainer, workers_[0].trainer->ForEvaluation());
  TW_ASSIGN_OR_RETURN(const ModelState initial, trainer->Initialize(*joined_.initial_seed));
  TW_ASSIGN_OR_RETURN(const StateFolder folder, FreshFolder(workers_[0].folder, NameOf(0)));
  if (models_.has_value()) {
    ModelStateSource source(initial);
    const std::string path = JoinPath(folder.download_directory(), "drawn.tmp");
    TW_ASSIGN_OR_RETURN(const PayloadRef drawn, EncodeInitialModel(initial.spec, source, path));
    return models_->GiveAll(path, drawn.id);
  }
  BasisKeeper keeper(folder.basis_directory());
  TW_RETURN_IF_ERROR(keeper.TakeInitial(initial));
  bases_.assign(bases_.size(), keeper.held());
  return absl::OkStatus();
}

absl::Status VirtualClients::Join(ClientIndex client) {
  JoinRequest request;
  request.client_id = NameOf(client);
  request.role = IsEvaluator(client) ? ClientRole::kEvaluator : ClientRole::kTrainer;
  request.examples = IsEvaluator(client) ? 0 : task_->examples(client);
  request.model = task_->model();
  request.subspace = true;
  const v1::JoinRequest proto = ToProto(request);
  std::promise<absl::StatusOr<v1::JoinResponse>> reply;
  server_->desk().Join(proto, [&reply](auto answer) { reply.set_value(std::move(answer)); });
  TW_ASSIGN_OR_RETURN(const v1::JoinResponse response, reply.get_future().get());
  if (client == 0) {
    TW_ASSIGN_OR_RETURN(joined_, FromProto(response));
  }
  return absl::OkStatus();
}

void VirtualClients::WaitOnDriver(ClientIndex client) {
  if (!server_->driver().admission().ok()) return;
  server_->driver().Hold({0, NameOf(client), [this, client](auto answer) { Answered(client, std::move(answer)); },
                          bases_[client], models_.has_value() ? models_->HeldBy(client) : std::nullopt});
}

void VirtualClients::Answered(ClientIndex client, absl::StatusOr<v1::AwaitAssignmentResponse> answer) {
  if (!answer.ok()) return;  // the server is leaving
  const absl::StatusOr<AwaitReply> reply = FromProto(*answer);
  if (!reply.ok()) return Fail(reply.status());
  if (std::holds_alternative<ComeBack>(*reply)) {
    // Not from within the step that has sent it back.
    (void)server_->driver().TryRun([this, client] { WaitOnDriver(client); });
  }
  const auto* const assignment = std::get_if<Assignment>(&*reply);
  if (assignment == nullptr) return;
  MutexLock lock(mutex_);
  // Evaluations first: rounds must not outrun them, or the server would skip some.
  IsEvaluator(client) ? queue_.push_front({client, *assignment}) : queue_.push_back({client, *assignment});
  changed_.NotifyOne();
}

std::optional<VirtualClients::Work> VirtualClients::NextWork() {
  MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) changed_.Wait(mutex_);
  if (stopping_) return std::nullopt;
  Work work = std::move(queue_.front());
  queue_.pop_front();
  return work;
}

void VirtualClients::Loop(Worker* worker) {
  while (const std::optional<Work> work = NextWork()) {
    const absl::Status status = TakeTurn(*work, worker);
    if (!status.ok()) Fail(status);
  }
}

absl::Status VirtualClients::TakeTurn(const Work& work, Worker* worker) {
  const ClientIndex client = work.client;
  const ClientRole role = IsEvaluator(client) ? ClientRole::kEvaluator : ClientRole::kTrainer;
  TW_ASSIGN_OR_RETURN(Trainer* const trainer,
                      IsEvaluator(client) ? worker->trainer->ForEvaluation() : worker->trainer->ForTraining(client));
  TW_ASSIGN_OR_RETURN(const StateFolder folder, FreshFolder(worker->folder, NameOf(client)));
  TW_RETURN_IF_ERROR(LayOutBasis(work, folder));
  TW_RETURN_IF_ERROR(LayOutModel(work, folder));
  TW_RETURN_IF_ERROR(LayOutError(work, folder));
  if (work.assignment.subspace.has_value()) bases_[client] = work.assignment.subspace->basis;
  const auto put_away = [&] {
    return models_.has_value() ? models_->TakeBack(client, folder, work.assignment.model.id) : absl::OkStatus();
  };
  MemoryFederationApi api(
      server_, {NameOf(client), role, joined_, work.assignment, [this, client] { WaitOnDriver(client); }, put_away});
  RealSleeper sleeper, heartbeat_sleeper;
  TroubleObserver observer(NameOf(client));
  const SessionSummary summary =
      RunSession(role, {&api, trainer, &folder, Clock::System(), &sleeper, &heartbeat_sleeper, &observer}, worker);
  if (summary.end == SessionEnd::kRefused || summary.end == SessionEnd::kGaveUp) {
    return absl::InternalError(absl::StrCat("client ", NameOf(client), ": ", summary.reason));
  }
  if (api.awaits_next()) return absl::OkStatus();
  TW_RETURN_IF_ERROR(put_away());
  (void)server_->driver().TryRun([this, client] { WaitOnDriver(client); });
  return absl::OkStatus();
}

absl::Status VirtualClients::LayOutBasis(const Work& work, const StateFolder& folder) const {
  if (!work.assignment.subspace.has_value() || work.assignment.subspace->snapshot.has_value()) return absl::OkStatus();
  const HeldBasis& basis = work.assignment.subspace->basis;
  TW_RETURN_IF_ERROR(MakeDirectories(folder.basis_directory()));
  return server_->parts().models->LinkBasis(basis.epoch, JoinPath(folder.basis_directory(), BasisFileName(basis)));
}

absl::Status VirtualClients::LayOutModel(const Work& work, const StateFolder& folder) const {
  return models_.has_value() ? models_->LayOut(work.client, folder) : absl::OkStatus();
}

absl::Status VirtualClients::LayOutError(const Work& work, const StateFolder& folder) const {
  if (!(joined_.plan.error_decay > 0) || IsEvaluator(work.client)) return absl::OkStatus();
  const std::string kept = JoinPath(JoinPath(options_.directory, "errors"), NameOf(work.client));
  TW_RETURN_IF_ERROR(MakeDirectories(kept));
  std::error_code error;
  std::filesystem::create_directory_symlink(std::filesystem::absolute(kept), folder.error_directory(), error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot link ", folder.error_directory(), ": ", error.message()));
}

SessionSummary VirtualClients::RunSession(ClientRole role, const SessionParts& parts, Worker* worker) {
  SessionOptions options;
  options.role = role;
  options.server = "of the simulation";
  options.max_rounds = 1;
  options.retry_seed = DeriveKey({KeyWord("retry"), KeyWord(parts.state->client_id())});
  ClientSession session(options, parts);
  {
    MutexLock lock(mutex_);
    worker->session = &session;
    if (stopping_) session.RequestStop();
  }
  SessionSummary summary = session.Run();
  MutexLock lock(mutex_);
  worker->session = nullptr;
  return summary;
}

void VirtualClients::Fail(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (failed_ || stopping_) return;
    failed_ = true;
  }
  spdlog::error("a client cannot go on error=\"{}\"", status.ToString());
  options_.failed(status);
}

void VirtualClients::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const Worker& worker : workers_) {
      if (worker.session != nullptr) worker.session->RequestStop();
    }
    changed_.NotifyAll();
  }
  for (Worker& worker : workers_) {
    if (worker.thread.joinable()) worker.thread.join();
  }
}

}  // namespace thinwire
