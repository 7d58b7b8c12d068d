// Any bytes as a message of proto/thinwire/v1: what clients say to a server and what a server says to clients. The
// first byte chooses the message, so that one corpus holds all kinds.
#include <grpcpp/support/byte_buffer.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "client/rpc/federation_convert.h"
#include "common/wire/convert.h"
#include "common/wire/report_convert.h"
#include "server/service/client_registry.h"
#include "server/service/download_reactor.h"
#include "server/service/join_check.h"
#include "server/service/upload_part.h"
#include "tests/fuzz/fuzz_target.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {
namespace {

void CheckText(const std::string& text) {
  const std::string clean = CleanText(text);
  Require(clean.size() <= 203, "a text for the log is short");  // 200 and an ellipsis
  Require(std::none_of(clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }),
          "a text for the log has no control characters");
}

void CheckModel(const ModelSpec& spec) {
  const auto again = FromProto(ToProto(spec));
  Require(again.ok() && *again == spec, "a model survives its wire form");
}

// A server's view of Join.
void CheckJoinRequest(const std::string& bytes) {
  v1::JoinRequest request;
  if (!request.ParseFromString(bytes)) return;
  const JoinVerdict verdict = CheckJoin(request, {ExchangePlan(), /*max_examples=*/1000, nullptr});
  Require(verdict.status.ok() == verdict.refusal.empty(), "a refusal has a class to be counted under");
  if (verdict.status.ok()) Require(CheckClientId(request.client_id()).ok(), "who joins has a valid id");
  CheckText(request.software());
}

std::string Joined(const UploadPart& part) {
  std::string data;
  for (const absl::string_view piece : part.data()) data.append(piece.data(), piece.size());
  return data;
}

// UploadPart reads messages by hand: it must agree with the generated class, however the bytes lie in slices.
void CheckUploadPart(const std::string& bytes, size_t first_slice) {
  const size_t cut = std::min(first_slice, bytes.size());
  std::vector<grpc::Slice> slices = {grpc::Slice(bytes.substr(0, cut)), grpc::Slice(bytes.substr(cut))};
  grpc::ByteBuffer message(slices.data(), slices.size());
  const auto part = UploadPart::Parse(&message);
  v1::UploadRequest request;
  const bool valid = request.ParseFromString(bytes) && (request.has_header() || request.has_data());
  Require(part.ok() == valid, "the two parsers agree on what is an upload's part");
  if (!valid) return;
  Require(part->is_header() == request.has_header(), "the two parsers agree on the kind of part");
  if (request.has_data()) {
    Require(Joined(*part) == request.data() && part->data_size() == request.data().size(),
            "the two parsers agree on the data");
  } else {
    Require(part->header().SerializeAsString() == request.header().SerializeAsString(),
            "the two parsers agree on the header");
    (void)FromProto(part->header().payload());
    (void)FromProto(part->header().coding());
  }
}

// A client's view of what servers answer.
void CheckJoinResponse(const std::string& bytes) {
  v1::JoinResponse response;
  if (!response.ParseFromString(bytes)) return;
  const auto reply = FromProto(response);
  if (!reply.ok()) return;
  Require(reply->plan.Validate().ok(), "a plan that is accepted is valid");
  const auto again = FromProto(ToProto(reply->plan));
  Require(again.ok() && again->Name() == reply->plan.Name(), "a plan survives its wire form");
  if (reply->model) CheckModel(*reply->model);
}

void CheckAwaitResponse(const std::string& bytes) {
  v1::AwaitAssignmentResponse response;
  if (!response.ParseFromString(bytes)) return;
  const auto reply = FromProto(response);
  if (!reply.ok() || !std::holds_alternative<Assignment>(*reply)) return;
  const auto& assignment = std::get<Assignment>(*reply);
  Require(!assignment.id.empty() && assignment.id.size() <= 1024, "an assignment has a name of bounded length");
  if (assignment.spec) CheckModel(*assignment.spec);
}

// What is downloaded: a server writes the message by hand, a client reads it with the generated class.
void CheckDownloadResponse(const std::string& bytes) {
  v1::DownloadResponse sent;
  const bool read = sent.ParseFromString(DownloadResponseHead(bytes.size()) + bytes);
  Require(read && sent.data() == bytes, "what a server writes by hand is the message that a client reads");
  v1::DownloadResponse response;
  if (!response.ParseFromString(bytes)) return;
  Require(response.data().size() <= bytes.size(), "a message holds no more than it has");
}

void CheckUpdateStatus(const absl::StatusOr<UpdateStatus>& status, int state, uint64_t received,
                       const std::string& reason) {
  const bool known = state >= v1::UPDATE_STATE_UNKNOWN && state <= v1::UPDATE_STATE_FAILED;
  Require(status.ok() == known, "a state is taken if this client knows it");
  if (!known) return;
  Require(status->received_bytes == received && status->reason == reason, "a receipt's numbers and texts are kept");
}

void CheckUploadResponse(const std::string& bytes) {
  v1::UploadResponse response;
  if (!response.ParseFromString(bytes)) return;
  CheckUpdateStatus(FromProto(response, 77), response.state(), 77, response.reason());
}

void CheckUploadStatusResponse(const std::string& bytes) {
  v1::UploadStatusResponse response;
  if (!response.ParseFromString(bytes)) return;
  CheckUpdateStatus(FromProto(response), response.state(), response.received_bytes(), response.reason());
}

// A server's view of Heartbeat.
void CheckHeartbeat(const std::string& bytes) {
  v1::HeartbeatRequest request;
  if (!request.ParseFromString(bytes)) return;
  CheckText(request.activity());
  ClientRegistry clients(absl::Seconds(1));
  ClientInfo info;
  info.id = "a";
  clients.Put(info, absl::ZeroDuration());
  const bool known = clients.SetActivity(request.client_id(), CleanText(request.activity()), absl::ZeroDuration());
  Require(known == (request.client_id() == "a"), "only who has joined is alive");
  if (known) Require(clients.Find("a")->activity == CleanText(request.activity()), "the operator is told the activity");
}

void CheckReportEvaluation(const std::string& bytes) {
  v1::ReportEvaluationRequest request;
  if (!request.ParseFromString(bytes)) return;
  if (!CheckEvaluation(request).ok()) return;
  Require(std::isfinite(request.loss()) && std::isfinite(request.accuracy()), "what is journaled are numbers");
}

// First bytes below 128 are the four kinds of the oldest corpus, the rest of the byte cuts an upload's part in two.
void CheckLaterKind(uint8_t kind, const std::string& bytes) {
  switch (kind % 5) {
    case 0:
      return CheckDownloadResponse(bytes);
    case 1:
      return CheckUploadResponse(bytes);
    case 2:
      return CheckUploadStatusResponse(bytes);
    case 3:
      return CheckHeartbeat(bytes);
    default:
      return CheckReportEvaluation(bytes);
  }
}

}  // namespace
}  // namespace thinwire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace thinwire;
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] >= 128) {
    CheckLaterKind(data[0] - 128, bytes);
    return 0;
  }
  switch (data[0] % 4) {
    case 0:
      CheckJoinRequest(bytes);
      break;
    case 1:
      CheckUploadPart(bytes, data[0] / 4);
      break;
    case 2:
      CheckJoinResponse(bytes);
      break;
    case 3:
      CheckAwaitResponse(bytes);
      break;
  }
  return 0;
}
