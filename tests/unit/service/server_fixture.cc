#include "tests/unit/service/server_fixture.h"

#include <google/protobuf/text_format.h>
#include <grpcpp/generic/generic_stub.h>
#include <httplib.h>

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/grpc_status.h"
#include "common/tensor/safetensors.h"
#include "common/wire/convert.h"
#include "server/service/state_directory.h"

namespace thinwire {

ModelSpec SmallModel() {
  return *ModelSpec::Create({{"w", {70'000}, DataType::kFloat32, TensorRole::kTrainable},
                             {"b", {3}, DataType::kFloat32, TensorRole::kTrainable},
                             {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                             {"steps", {}, DataType::kInt64, TensorRole::kBuffer}});
}

ModelState FilledState(const ModelSpec& spec, float value) {
  ModelState state(spec);
  for (auto& floats : state.floats) std::fill(floats.begin(), floats.end(), value);
  for (auto& ints : state.ints) std::fill(ints.begin(), ints.end(), 5);
  return state;
}

absl::Status ServerFixture::TryStart(const std::string& more) {
  const std::string file = directory_.Path("initial.safetensors");
  if (model_config_.empty() && !FileExists(file)) {
    const ModelState initial = FilledState(SmallModel(), 1);
    ModelStateSource source(initial);
    TW_RETURN_IF_ERROR(WriteSafetensors(file, initial.spec, source));
  }
  const std::string model = model_config_.empty() ? absl::StrCat("safetensors: \"", file, "\"") : model_config_;
  const std::string text =
      absl::StrCat("run { rounds: 1 seed: 3 }\nplan { preset: PLAN_PRESET_FP32 }\ntraining { learning_rate: 0.1 }\n",
                   "storage { directory: \"", directory_.Path("state"), "\" }\nmodel { ", model, " }\n",
                   "listen { federation: '127.0.0.1:0' control: '127.0.0.1:0' http: '127.0.0.1:0' }\n", security_,
                   "evaluation { every: 0 }\n", "round { clients: 1 }\naggregation { max_update_norm: 100000 }\n");
  // Later fields win, as they do when messages are merged.
  v1::FederationConfig base;
  v1::FederationConfig change;
  if (!google::protobuf::TextFormat::ParseFromString(text, &base) ||
      !google::protobuf::TextFormat::ParseFromString(more, &change)) {
    return absl::InvalidArgumentError("the test's configuration does not parse");
  }
  base.MergeFrom(change);
  TW_ASSIGN_OR_RETURN(const ServerConfig config, ParseConfig(base.DebugString(), "test"));

  ServerOptions options;
  options.config = config;
  options.hold_time = hold_time_;
  options.health = health_;
  options.driver_queue = driver_queue_;
  options.observer.finished = [this](RunState) {  // on the driver's thread
    if (!block_) return;
    blocked_.Notify();
    release_.WaitForNotification();
  };
  TW_ASSIGN_OR_RETURN(StateDirectory state, OpenStateDirectory(config, Clock::System()));
  TW_ASSIGN_OR_RETURN(server_, FederationServer::Start(options, std::move(state)));
  control_ = v1::Control::NewStub(grpc::CreateChannel(server_->endpoints().control, operator_));
  return absl::OkStatus();
}

void ServerFixture::Start(const std::string& more) {
  const absl::Status status = TryStart(more);
  ASSERT_TRUE(status.ok()) << status;
}

void ServerFixture::Stop() {
  server_->Shutdown();
  server_.reset();
}

PayloadBytes ServerFixture::Encode(const ModelState& state, const v1::Assignment& assignment,
                                   Representation representation) {
  EncodeOptions options;
  options.representation = representation;
  if (assignment.has_model()) options.base_id = *Digest::FromBytes(assignment.model().payload_id());
  ModelStateSource source(state);
  // Clients of a test may be threads.
  const std::string path = directory_.Path(absl::StrCat(assignment.assignment_id(), ".payload"));
  PayloadBytes payload;
  payload.ref = EncodePayload(state.spec, options, source, path).value();
  payload.bytes = ReadWholeFile(path, payload.ref.total_size).value();
  return payload;
}

void ServerFixture::AwaitBoth(TestClient* a, TestClient* b, v1::Assignment* work_a, v1::Assignment* work_b) {
  absl::StatusOr<v1::Assignment> other = absl::InternalError("none");
  std::thread waiting([&] { other = b->AwaitWork(); });
  const absl::StatusOr<v1::Assignment> own = a->AwaitWork();
  waiting.join();
  ASSERT_TRUE(own.ok()) << own.status();
  ASSERT_TRUE(other.ok()) << other.status();
  *work_a = *own;
  *work_b = *other;
}

void ServerFixture::BlockDriver() {
  block_ = true;
  grpc::ClientContext context;
  v1::StopRunResponse response;
  ASSERT_TRUE(control_->StopRun(&context, {}, &response).ok());
  blocked_.WaitForNotification();
}

v1::Status ServerFixture::GetStatus() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  v1::GetStatusResponse response;
  const grpc::Status status = control_->GetStatus(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status();
}

v1::Status ServerFixture::WaitFor(const std::function<bool(const v1::Status&)>& wanted) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  const auto reader = control_->WatchStatus(&context, {});
  v1::WatchStatusResponse response;
  while (reader->Read(&response)) {
    if (!wanted(response.status())) continue;
    context.TryCancel();
    while (reader->Read(&response)) {
    }
    reader->Finish();
    return response.status();
  }
  ADD_FAILURE() << "the wanted status never came, the last was " << response.status().ShortDebugString() << ", then "
                << reader->Finish().error_message();
  return response.status();
}

v1::ListClientsResponse ServerFixture::ListClients(const std::string& after, uint32_t limit) {
  grpc::ClientContext context;
  v1::ListClientsRequest request;
  request.set_after_client_id(after);
  request.set_max_clients(limit);
  v1::ListClientsResponse response;
  EXPECT_TRUE(control_->ListClients(&context, request, &response).ok());
  return response;
}

v1::ListRoundsResponse ServerFixture::ListRounds() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  v1::ListRoundsResponse response;
  const grpc::Status status = control_->ListRounds(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

absl::StatusOr<ModelState> ServerFixture::Export(std::optional<uint64_t> version) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  v1::ExportModelRequest request;
  if (version.has_value()) request.set_version(*version);
  const auto reader = control_->ExportModel(&context, request);
  v1::ExportModelResponse response;
  std::string bytes;
  uint64_t declared = 0;
  while (reader->Read(&response)) {
    if (response.has_header()) declared = response.header().size();
    bytes += response.data();
  }
  TW_RETURN_IF_ERROR(FromGrpcStatus(reader->Finish()));
  EXPECT_EQ(bytes.size(), declared);
  const std::string path = directory_.Path("exported.safetensors");
  TW_RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  TW_ASSIGN_OR_RETURN(SafetensorsReader file, SafetensorsReader::Open(path));
  ModelState state(file.spec());
  for (uint32_t i = 0; i < state.floats.size(); ++i) {
    if (!state.floats[i].empty()) TW_RETURN_IF_ERROR(file.ReadFloats(i, 0, absl::MakeSpan(state.floats[i])));
    if (!state.ints[i].empty()) TW_RETURN_IF_ERROR(file.ReadInts(i, 0, absl::MakeSpan(state.ints[i])));
  }
  return state;
}

std::string ServerFixture::HttpGet(const std::string& path) {
  httplib::Client client("http://" + server_->endpoints().http);
  const httplib::Result result = client.Get(path.c_str());
  return result ? absl::StrCat(result->status, " ", result->body) : "no answer";
}

std::string ServerFixture::GrpcHealth(const std::string& address, const std::string& service) {
  // The service's protos are not built here: HealthCheckRequest { service: ... }, by hand.
  std::string message;
  if (!service.empty()) message = absl::StrCat("\x0a", std::string(1, static_cast<char>(service.size())), service);
  const grpc::Slice slice(message);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&done](grpc::Status status) { done.set_value(std::move(status)); });
  if (!done.get_future().get().ok()) return "";
  grpc::Slice bytes;
  EXPECT_TRUE(response.DumpToSingleSlice(&bytes).ok());
  const std::string answer(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  return answer == "\x08\x01" ? "SERVING" : answer == "\x08\x02" ? "NOT_SERVING" : "neither";
}

}  // namespace thinwire
