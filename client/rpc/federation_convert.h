// The session's structs and their wire form.
#ifndef THINWIRE_CLIENT_RPC_FEDERATION_CONVERT_H_
#define THINWIRE_CLIENT_RPC_FEDERATION_CONVERT_H_

#include "absl/status/statusor.h"
#include "client/session/federation_api.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// With this program's wire version, codecs and name.
v1::JoinRequest ToProto(const JoinRequest& request);
v1::UploadHeader ToProto(const UploadRequest& request, const std::string& client_id);

// INVALID_ARGUMENT naming the field, or UNIMPLEMENTED for what only a newer server says.
absl::StatusOr<JoinReply> FromProto(const v1::JoinResponse& proto);
absl::StatusOr<AwaitReply> FromProto(const v1::AwaitAssignmentResponse& proto);
absl::StatusOr<TrainingOptions> FromProto(const v1::TrainingConfig& proto);
absl::StatusOr<UpdateState> FromProto(v1::UpdateState state);
// The receipt of an upload of `size` bytes.
absl::StatusOr<UpdateStatus> FromProto(const v1::UploadResponse& proto, uint64_t size);
absl::StatusOr<UpdateStatus> FromProto(const v1::UploadStatusResponse& proto);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_RPC_FEDERATION_CONVERT_H_
