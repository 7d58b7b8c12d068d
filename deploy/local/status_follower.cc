#include "deploy/local/status_follower.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"

namespace thinwire {
namespace {

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
}

}  // namespace

StatusFollower::StatusFollower(const std::string& control)
    : stub_(v1::Control::NewStub(grpc::CreateChannel(control, grpc::InsecureChannelCredentials()))),
      news_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  context_.set_wait_for_ready(true);
  thread_ = std::thread([this] { Follow(); });
}

StatusFollower::~StatusFollower() {
  context_.TryCancel();
  thread_.join();
}

void StatusFollower::Announce() {
  const uint64_t one = 1;
  // Fails only when news waits already.
  [[maybe_unused]] const ssize_t written = write(news_fd_.get(), &one, sizeof(one));
}

void StatusFollower::Follow() {
  const auto stream = stub_->WatchStatus(&context_, {});
  v1::WatchStatusResponse response;
  while (stream->Read(&response)) {
    MutexLock lock(mutex_);
    news_.status = std::move(*response.mutable_status());
    Announce();
  }
  const absl::Status end = FromGrpcStatus(stream->Finish());
  MutexLock lock(mutex_);
  news_.end = end;
  Announce();
}

StatusNews StatusFollower::Take() {
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t count = read(news_fd_.get(), &ignored, sizeof(ignored));
  MutexLock lock(mutex_);
  StatusNews news = news_;
  news_.status.reset();
  return news;
}

absl::StatusOr<v1::Status> StatusFollower::GetStatus() {
  grpc::ClientContext context;
  SetDeadline(&context);
  v1::GetStatusResponse response;
  TW_RETURN_IF_ERROR(FromGrpcStatus(stub_->GetStatus(&context, {}, &response)));
  return std::move(*response.mutable_status());
}

absl::StatusOr<std::vector<v1::RoundSummary>> StatusFollower::ListRounds() {
  std::vector<v1::RoundSummary> rounds;
  while (true) {
    grpc::ClientContext context;
    SetDeadline(&context);
    v1::ListRoundsRequest request;
    request.set_first_round(rounds.empty() ? 0 : rounds.back().round() + 1);
    v1::ListRoundsResponse response;
    TW_RETURN_IF_ERROR(FromGrpcStatus(stub_->ListRounds(&context, request, &response)));
    const bool advances = !response.rounds().empty() && response.rounds(0).round() >= request.first_round();
    if (!advances) return rounds;
    rounds.insert(rounds.end(), response.rounds().begin(), response.rounds().end());
  }
}

}  // namespace thinwire
