// A client made by hand from the generated stub: one method per rpc, each with a deadline.
#ifndef THINWIRE_TESTS_UNIT_SERVICE_TEST_CLIENT_H_
#define THINWIRE_TESTS_UNIT_SERVICE_TEST_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {

constexpr std::chrono::seconds kCallDeadline(30);

// A payload's bytes in memory.
struct PayloadBytes {
  PayloadRef ref;
  std::string bytes;
};

class TestClient {
 public:
  // What is not read stays with the server, but for 64 KiB. By default gRPC lets a window grow with the link's measured
  // capacity, on some machines to more than a whole test model.
  static grpc::ChannelArguments FixedWindow() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return arguments;
  }
  TestClient(const std::string& address, std::string id,
             const std::shared_ptr<grpc::ChannelCredentials>& credentials = grpc::InsecureChannelCredentials())
      : id_(std::move(id)),
        stub_(v1::Federation::NewStub(grpc::CreateCustomChannel(address, credentials, FixedWindow()))) {}

  // A trainer with every codec; change the request as the test wants.
  v1::JoinRequest JoinRequest(uint64_t examples = 10) const;
  absl::StatusOr<v1::JoinResponse> Join(const v1::JoinRequest& request);
  absl::StatusOr<v1::JoinResponse> Join() { return Join(JoinRequest()); }
  absl::StatusOr<v1::JoinResponse> JoinAsEvaluator();

  absl::StatusOr<v1::AwaitAssignmentResponse> Await();
  // The assignment that comes; any other answer is INTERNAL.
  absl::StatusOr<v1::Assignment> AwaitWork();

  absl::StatusOr<std::string> Download(const v1::DownloadRequest& request);
  absl::StatusOr<std::string> Download(const v1::PayloadRef& payload, uint64_t offset = 0);

  v1::UploadHeader Header(const v1::Assignment& assignment, const PayloadRef& payload, uint64_t examples = 10) const;
  // Sends the header and bytes [header.offset, end) in chunks, then closes its side.
  absl::StatusOr<v1::UploadResponse> Upload(const v1::UploadHeader& header, const std::string& bytes, uint64_t end);
  absl::StatusOr<v1::UploadResponse> Upload(const v1::Assignment& assignment, const PayloadBytes& payload,
                                            uint64_t examples = 10) {
    return Upload(Header(assignment, payload.ref, examples), payload.bytes, payload.bytes.size());
  }
  absl::StatusOr<v1::UploadStatusResponse> UploadStatus(const std::string& assignment, const Digest& payload);

  absl::Status ReportEvaluation(const std::string& assignment, double accuracy, double loss);
  absl::Status ReportFailure(const std::string& assignment, const std::string& reason);
  absl::Status Heartbeat();
  absl::Status Leave();

  uint64_t uplink_bits_per_second = 0;  // that Await says of its link

  const std::string& id() const { return id_; }
  v1::Federation::Stub* stub() { return stub_.get(); }

 private:
  std::string id_;
  std::unique_ptr<v1::Federation::Stub> stub_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SERVICE_TEST_CLIENT_H_
