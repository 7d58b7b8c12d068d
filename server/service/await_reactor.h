// Federation.AwaitAssignment: held, without a thread, until the driver has an answer.
#ifndef THINWIRE_SERVER_SERVICE_AWAIT_REACTOR_H_
#define THINWIRE_SERVER_SERVICE_AWAIT_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "common/rpc/grpc_status.h"
#include "server/service/service_parts.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// The driver answers exactly once; a cancelled call goes by its number, so the driver never touches one that is gone.
class AwaitReactor final : public grpc::ServerUnaryReactor {
 public:
  AwaitReactor(ServiceParts* parts, const grpc::CallbackServerContext* context,
               const v1::AwaitAssignmentRequest& request, v1::AwaitAssignmentResponse* response)
      : parts_(parts),
        context_(context),
        client_(request.client_id()),
        role_(parts->run->clients->RoleOf(client_)),
        id_(NextId()),
        basis_(BasisFromProto(request)),
        model_(DigestFromProto(request.held_model())),
        uplink_bits_per_second_(request.uplink_bits_per_second()),
        response_(response) {
    parts_->run->traffic->AddMessage(role_, Direction::kUp, request.ByteSizeLong());
  }
  // Call once, after construction.
  void Begin() {
    parts_->desk->Await(
        {id_, client_, [this](auto answer) { Answer(std::move(answer)); }, basis_, model_, uplink_bits_per_second_});
  }

  void OnCancel() override { parts_->desk->CancelAwait(client_, id_); }
  void OnDone() override { delete this; }

 private:
  // A hash that is none is that of nothing that a client can have.
  static std::optional<Digest> DigestFromProto(const std::string& bytes) {
    const absl::StatusOr<Digest> sha256 = Digest::FromBytes(bytes);
    return sha256.ok() ? std::optional<Digest>(*sha256) : std::nullopt;
  }
  static std::optional<HeldBasis> BasisFromProto(const v1::AwaitAssignmentRequest& request) {
    const std::optional<Digest> sha256 = DigestFromProto(request.basis().sha256());
    if (!request.has_basis() || !sha256.has_value()) return std::nullopt;
    return HeldBasis{request.basis().epoch(), *sha256};
  }
  static uint64_t NextId() {
    static std::atomic<uint64_t> next{1};
    return next++;
  }
  void Answer(absl::StatusOr<v1::AwaitAssignmentResponse> answer) {
    // The call may have been held for a minute, and the certificate revoked meanwhile.
    if (answer.ok() && answer->has_assignment()) {
      const absl::Status allowed = parts_->peers->CheckClient(*context_, client_);
      if (!allowed.ok()) {
        parts_->desk->Expel(client_, allowed);
        answer = allowed;
      }
    }
    if (answer.ok()) {
      *response_ = *std::move(answer);
      parts_->run->traffic->AddMessage(role_, Direction::kDown, response_->ByteSizeLong());
    }
    Finish(ToGrpcStatus(answer.status()));
  }

  ServiceParts* const parts_;
  const grpc::CallbackServerContext* const context_;
  const std::string client_;
  const Role role_;
  const uint64_t id_;
  const std::optional<HeldBasis> basis_;
  const std::optional<Digest> model_;
  const uint64_t uplink_bits_per_second_;
  v1::AwaitAssignmentResponse* const response_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_AWAIT_REACTOR_H_
