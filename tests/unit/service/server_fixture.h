// A whole server in this process, on free ports of 127.0.0.1, over a state directory of its own.
#ifndef THINWIRE_TESTS_UNIT_SERVICE_SERVER_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_SERVICE_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "common/tensor/model_state.h"
#include "server/service/federation_server.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/service/test_client.h"
#include "thinwire/v1/control.grpc.pb.h"

namespace thinwire {

// Two blocks and a bit of trainable values, and buffers of both kinds.
ModelSpec SmallModel();
// Every float value is `value`, every integer 5.
ModelState FilledState(const ModelSpec& spec, float value);

class ServerFixture : public testing::Test {
 protected:
  // Over the same state directory each time. `more` is added to a configuration of FP32, one client, initial weights
  // of 1 from a file.
  absl::Status TryStart(const std::string& more);
  void Start(const std::string& more = "");
  // Ends the server as SIGTERM would; what is on disk stays.
  void Stop();

  TestClient Client(const std::string& id) { return TestClient(server_->endpoints().federation, id); }
  // Encodes `state` as an update relative to the assignment's model.
  PayloadBytes Encode(const ModelState& state, const v1::Assignment& assignment,
                      Representation representation = Representation::kDelta);

  // The work of two clients that have joined, asked for at once: a round of two opens when both wait.
  static void AwaitBoth(TestClient* a, TestClient* b, v1::Assignment* work_a, v1::Assignment* work_b);

  // Ends the run, then lets the driver's thread stand still until ReleaseDriver.
  void BlockDriver();
  void ReleaseDriver() { release_.Notify(); }

  v1::Status GetStatus();
  // Watches until `wanted` is true of the status, or the stream or its deadline ends: then the test fails.
  v1::Status WaitFor(const std::function<bool(const v1::Status&)>& wanted);
  v1::ListRoundsResponse ListRounds();
  v1::ListClientsResponse ListClients(const std::string& after = "", uint32_t limit = 0);
  // The weights of a version, by way of ExportModel.
  absl::StatusOr<ModelState> Export(std::optional<uint64_t> version = std::nullopt);
  std::string HttpGet(const std::string& path);
  // What gRPC's health service says there of a service; "" is the whole port. Empty: it knows of none.
  static std::string GrpcHealth(const std::string& address, const std::string& service);

  std::string model_config_;  // replaces the initial weights from a file
  std::string security_ = "security { insecure: true }\n";
  std::shared_ptr<grpc::ChannelCredentials> operator_ = grpc::InsecureChannelCredentials();
  absl::Duration hold_time_ = absl::Minutes(1);
  HealthTiming health_;
  size_t driver_queue_ = kDriverQueue;
  std::atomic<bool> block_{false};
  absl::Notification blocked_, release_;  // the driver's thread uses them
  TemporaryDirectory directory_;
  std::unique_ptr<FederationServer> server_;
  std::unique_ptr<v1::Control::Stub> control_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SERVICE_SERVER_FIXTURE_H_
