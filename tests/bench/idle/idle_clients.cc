#include "tests/bench/idle/idle_clients.h"

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/certificate_folder.h"
#include "common/rpc/credentials.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {
namespace {

v1::JoinRequest Introduction(const std::string& id) {
  v1::JoinRequest request;
  request.set_client_id(id);
  request.set_role(v1::CLIENT_ROLE_EVALUATOR);
  request.add_wire_versions(1);
  for (const v1::CodecKind kind :
       {v1::CODEC_KIND_FP32, v1::CODEC_KIND_FLOAT, v1::CODEC_KIND_INT64, v1::CODEC_KIND_FLOAT_BLOCKS}) {
    request.add_codecs(kind);
  }
  request.set_examples(1);
  request.set_software("idle client");
  return request;
}

// One call after the other, each started by the answer to the one before, on gRPC's threads.
class IdleClient {
 public:
  IdleClient(const std::string& address, const std::string& id,
             const std::shared_ptr<grpc::ChannelCredentials>& credentials)
      : join_(Introduction(id)) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    stub_ = v1::Federation::NewStub(grpc::CreateCustomChannel(address, credentials, arguments));
    await_.set_client_id(id);
  }

  void Join() {
    NewContext();
    stub_->async()->Join(context_.get(), &join_, &joined_, [this](const grpc::Status& status) { Await(status); });
  }

 private:
  void Await(const grpc::Status& status) {
    if (!status.ok()) {
      std::fprintf(stderr, "%s: %s\n", await_.client_id().c_str(), status.error_message().c_str());
      std::_Exit(1);
    }
    NewContext();
    stub_->async()->AwaitAssignment(context_.get(), &await_, &answer_, [this](const grpc::Status& s) { Await(s); });
  }
  void NewContext() {
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_wait_for_ready(true);
  }

  const v1::JoinRequest join_;
  std::unique_ptr<v1::Federation::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  v1::JoinResponse joined_;
  v1::AwaitAssignmentRequest await_;
  v1::AwaitAssignmentResponse answer_;
};

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::_Exit(1);
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const std::string& authority, const std::string& id) {
  if (authority.empty()) return grpc::InsecureChannelCredentials();
  const absl::StatusOr<CertificateFolder> folder = CertificateFolder::Open(authority);
  if (!folder.ok()) Fail(folder.status());
  const auto credentials = TlsChannelCredentials(folder->FilesOf(PeerRole::kClient, id), PeerRole::kClient);
  if (!credentials.ok()) Fail(credentials.status());
  return *credentials;
}

}  // namespace

void RunIdleClients(const std::string& address, const std::string& prefix, int count, const std::string& authority) {
  std::vector<std::unique_ptr<IdleClient>> clients;
  for (int i = 0; i < count; ++i) {
    const std::string id = absl::StrCat(prefix, i);
    clients.push_back(std::make_unique<IdleClient>(address, id, CredentialsOf(authority, id)));
    clients.back()->Join();
  }
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

}  // namespace thinwire
