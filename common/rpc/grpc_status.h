// absl::Status and grpc::Status: the one place where they meet.
#ifndef THINWIRE_COMMON_RPC_GRPC_STATUS_H_
#define THINWIRE_COMMON_RPC_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace thinwire {

grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RPC_GRPC_STATUS_H_
