// A participant that speaks the protocol by hand, so that a test can also break its rules.
#ifndef THINWIRE_TESTS_INTEGRATION_RAW_CLIENT_H_
#define THINWIRE_TESTS_INTEGRATION_RAW_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {

// Every call has a deadline of a minute. Not thread-safe.
class RawClient {
 public:
  RawClient(const std::string& address, const std::string& id,
            const std::shared_ptr<grpc::ChannelCredentials>& credentials = grpc::InsecureChannelCredentials());

  // A trainer that has every codec; `spec` may be null.
  absl::StatusOr<v1::JoinResponse> Join(const ModelSpec* spec, uint64_t examples = 10);
  absl::StatusOr<v1::JoinResponse> Join(const v1::JoinRequest& request);
  // Asks again as long as the answer is "come back".
  absl::StatusOr<v1::Assignment> AwaitWork();
  // The payload's bytes from `offset` to its end.
  absl::StatusOr<std::string> Download(const PayloadRef& payload, uint64_t offset = 0);
  // The first message of it; then the call is ended.
  absl::StatusOr<std::string> DownloadBeginning(const PayloadRef& payload);
  // Sends `bytes` as the payload's bytes from header.offset on, then half-closes.
  absl::StatusOr<v1::UploadResponse> Upload(const v1::UploadHeader& header, absl::string_view bytes);
  absl::StatusOr<v1::UploadStatusResponse> UploadStatus(const std::string& assignment, const Digest& payload);
  // Asks until the state of the update is final (folded, discarded or failed).
  absl::StatusOr<v1::UploadStatusResponse> AwaitVerdict(const std::string& assignment, const Digest& payload);
  absl::Status ReportEvaluation(const std::string& assignment);
  absl::Status ReportFailure(const std::string& assignment);
  absl::Status Heartbeat();
  absl::Status Leave();

  v1::UploadHeader HeaderFor(const v1::Assignment& assignment, const PayloadRef& payload) const;
  const std::string& id() const { return id_; }

 private:
  std::string id_;
  std::unique_ptr<v1::Federation::Stub> stub_;
};

// A payload in memory, for uploads made by hand.
struct BuiltPayload {
  PayloadRef ref;
  std::string bytes;
};
// Joins frames into a payload whose hashes are right, whatever the frames hold.
BuiltPayload BuildPayload(Manifest manifest, const std::vector<std::string>& frames);

}  // namespace thinwire

#endif  // THINWIRE_TESTS_INTEGRATION_RAW_CLIENT_H_
