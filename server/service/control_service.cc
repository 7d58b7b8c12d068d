#include "server/service/control_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/convert.h"
#include "server/service/export_reactor.h"
#include "server/service/join_check.h"
#include "server/service/round_summary.h"
#include "server/service/watch_reactor.h"

namespace thinwire {
namespace {

constexpr uint32_t kMaxRounds = 1000;
constexpr uint32_t kMaxClients = 1000;

void FillLink(const ClientLink& link, v1::ClientSummary* summary) {
  summary->set_uplink_bits_per_second(link.bits_per_second);
  summary->set_granted_bits(link.granted_bits);
  summary->set_payload_bits(link.payload_bits);
  summary->set_bits_per_parameter(link.bits_per_parameter);
  *summary->mutable_encode_time() = ToProto(link.coding.time);
  if (link.coding.distortion.has_value()) summary->set_distortion(*link.coding.distortion);
  if (link.coding.weighted_distortion.has_value()) {
    summary->set_weighted_distortion(*link.coding.weighted_distortion);
  }
  if (link.coding.unsent_norm.has_value()) summary->set_unsent_norm(*link.coding.unsent_norm);
}

}  // namespace

grpc::ServerUnaryReactor* ControlService::GetStatus(grpc::CallbackServerContext* context, const v1::GetStatusRequest*,
                                                    v1::GetStatusResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::Status taken = parts_->driver->TryRun([this, reactor, response] {
    *response->mutable_status() = parts_->driver->StatusNow();
    reactor->Finish(grpc::Status::OK);
  });
  if (!taken.ok()) reactor->Finish(ToGrpcStatus(taken));
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchStatusResponse>* ControlService::WatchStatus(grpc::CallbackServerContext*,
                                                                               const v1::WatchStatusRequest*) {
  auto* const reactor = new WatchReactor(parts_->run->board);
  reactor->Begin();
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::ListRounds(grpc::CallbackServerContext* context,
                                                     const v1::ListRoundsRequest* request,
                                                     v1::ListRoundsResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const bool taken = parts_->run->io->TryRun(
      [this, reactor, request, response] { reactor->Finish(ToGrpcStatus(FillRounds(*request, response))); });
  if (!taken) reactor->Finish(ToGrpcStatus(IoBusy()));
  return reactor;
}

absl::Status ControlService::IoBusy() const {
  if (parts_->leaving) return ServerLeaving();
  return WithRetryWindow(absl::ResourceExhaustedError("too many requests wait for the disk"), parts_->run->config);
}

absl::Status ControlService::FillRounds(const v1::ListRoundsRequest& request, v1::ListRoundsResponse* response) {
  const uint32_t limit = request.max_rounds() == 0 ? kMaxRounds : std::min(request.max_rounds(), kMaxRounds);
  TW_ASSIGN_OR_RETURN(std::vector<RoundRow> rows, parts_->run->journal->Rounds(request.first_round(), limit));
  const std::shared_ptr<const StatusSnapshot> now = parts_->run->board->Latest();
  for (RoundRow& row : rows) {
    // The board is fresher than the journal, but a row that is closed is closed.
    const bool open = row.state != RoundState::kPublished && row.state != RoundState::kFailed;
    if (open && now->open_round.has_value() && now->open_round->round == row.round) row = *now->open_round;
    TW_ASSIGN_OR_RETURN(*response->add_rounds(), MakeSummary(row, parts_->run->journal));
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ControlService::ListClients(grpc::CallbackServerContext* context,
                                                      const v1::ListClientsRequest* request,
                                                      v1::ListClientsResponse* response) {
  const uint32_t limit = request->max_clients() == 0 ? kMaxClients : std::min(request->max_clients(), kMaxClients);
  const Monotonic now = parts_->run->clock->Now();
  for (const ClientInfo& client : parts_->run->clients->JoinedAfter(request->after_client_id(), limit)) {
    v1::ClientSummary* const summary = response->add_clients();
    summary->set_client_id(client.id);
    summary->set_role(client.role == Role::kTrainer ? v1::CLIENT_ROLE_TRAINER : v1::CLIENT_ROLE_EVALUATOR);
    summary->set_examples(client.examples);
    summary->set_software(client.software);
    summary->set_activity(client.activity);
    FillLink(client.link, summary);
    *summary->mutable_silent_for() = ToProto(std::max(now - client.last_seen, absl::ZeroDuration()));
  }
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

template <typename Response>
grpc::ServerUnaryReactor* ControlService::Steer(grpc::CallbackServerContext* context, const Event& event,
                                                Response* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::Status taken = parts_->driver->TryRun([this, reactor, event, response] {
    if (parts_->driver->ended()) {
      const v1::Status now = parts_->driver->StatusNow();
      return reactor->Finish(ToGrpcStatus(
          absl::FailedPreconditionError(absl::StrCat("run ", now.run_name(), " has ended (", now.reason(),
                                                     "); a new run takes a server with another storage.directory"))));
    }
    parts_->driver->Apply(event);
    *response->mutable_status() = parts_->driver->StatusNow();
    reactor->Finish(grpc::Status::OK);
  });
  if (!taken.ok()) reactor->Finish(ToGrpcStatus(taken));
  return reactor;
}

grpc::ServerUnaryReactor* ControlService::StartRun(grpc::CallbackServerContext* context, const v1::StartRunRequest*,
                                                   v1::StartRunResponse* response) {
  spdlog::info("start asked for peer={}", context->peer());
  return Steer(context, StartRequested{}, response);
}

grpc::ServerUnaryReactor* ControlService::StopRun(grpc::CallbackServerContext* context,
                                                  const v1::StopRunRequest* request, v1::StopRunResponse* response) {
  spdlog::info("stop asked for peer={} reason=\"{}\"", context->peer(), CleanText(request->reason()));
  const std::string reason = request->reason().empty() ? "an operator's request" : CleanText(request->reason());
  return Steer(context, StopRequested{reason}, response);
}

grpc::ServerWriteReactor<v1::ExportModelResponse>* ControlService::ExportModel(grpc::CallbackServerContext*,
                                                                               const v1::ExportModelRequest* request) {
  auto* const reactor = new ExportReactor(parts_, *request);
  reactor->Begin();
  return reactor;
}

}  // namespace thinwire
