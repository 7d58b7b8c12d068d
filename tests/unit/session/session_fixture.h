// A session with a fake around every side of it, and models to train.
#ifndef THINWIRE_TESTS_UNIT_SESSION_SESSION_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_SESSION_SESSION_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/session/client_session.h"
#include "common/base/file.h"
#include "common/codec/payload.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/session/fake_federation.h"
#include "tests/unit/session/session_fakes.h"

namespace thinwire {

class SessionFixture : public testing::Test {
 protected:
  SessionFixture() : sleeper(&clock), model(MakeModel(0)) {
    api.join.run_name = "test";
    api.join.plan = Fp32Plan();
    api.join.heartbeat_interval = absl::Seconds(5);
    api.join.retry = {absl::Milliseconds(200), absl::Seconds(5)};
    api.join.model = model.spec;
    options.server = "example:9480";
    OpenState();
  }

  static ModelSpec MakeSpec() {
    auto spec = ModelSpec::Create({
        {"weight", {kBlockValues + 100}, DataType::kFloat32, TensorRole::kTrainable},
        {"bias", {10}, DataType::kFloat32, TensorRole::kTrainable},
        {"mean", {3}, DataType::kFloat32, TensorRole::kBuffer},
        {"steps", {1}, DataType::kInt64, TensorRole::kBuffer},
    });
    EXPECT_TRUE(spec.ok()) << spec.status();
    return *spec;
  }
  static ModelState MakeModel(float offset) {
    ModelState values(MakeSpec());
    for (auto& tensor : values.floats) {
      for (size_t i = 0; i < tensor.size(); ++i) tensor[i] = static_cast<float>(i % 1000) / 1024.0f + offset;
    }
    return values;
  }

  // Encodes a model as the server does, and lets the fake serve it.
  PayloadRef Publish(const ModelState& values, Representation representation = Representation::kModel,
                     const CodecSpec& codec = CodecSpec::Fp32()) {
    const std::string path = folder.Path("published");
    ModelStateSource source(values);
    const auto ref = EncodePayload(values.spec, {representation, codec, Digest{}}, source, path);
    EXPECT_TRUE(ref.ok()) << ref.status();
    const auto bytes = ReadWholeFile(path, 1 << 24);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    api.payloads[ref->id] = *bytes;
    return *ref;
  }

  Assignment MakeAssignment(const std::string& id, AssignmentKind kind = AssignmentKind::kTrain) {
    Assignment assignment;
    assignment.id = id;
    assignment.kind = kind;
    assignment.round = 3;
    assignment.version = 2;
    assignment.seed = 77;
    assignment.time_left = absl::Minutes(9);
    if (kind != AssignmentKind::kInitialize) assignment.model = Publish(model);
    return assignment;
  }

  // The state folder is opened again as by a new process.
  void OpenState() {
    state.reset();
    auto opened = StateFolder::Open(folder.Path("state"), "client-1");
    ASSERT_TRUE(opened.ok()) << opened.status();
    state.emplace(*std::move(opened));
  }

  ClientSession& MakeSession() {
    session = std::make_unique<ClientSession>(
        options, SessionParts{&api, &trainer, &*state, &clock, &sleeper, &heartbeat_sleeper, &observer});
    return *session;
  }
  SessionSummary RunSession() { return MakeSession().Run(); }

  // A session that breaks off after `bytes` of `call`, and a new process on the same state folder.
  SessionSummary RunUntilBrokenOff(const std::string& call, uint64_t bytes) {
    Fault(call, absl::UnavailableError("cut"), bytes);
    sleeper.on_sleep = [this] { session->RequestStop(); };
    const SessionSummary summary = RunSession();
    session.reset();
    sleeper.on_sleep = nullptr;
    sleeper.Reset();
    heartbeat_sleeper.Reset();
    api.cancelled = false;
    OpenState();
    return summary;
  }

  // What the fake server holds of an assignment's upload, decoded.
  ModelState DecodeUpload(const std::string& assignment) {
    const std::string path = folder.Path("uploaded");
    EXPECT_TRUE(WriteFileAtomically(path, api.uploads[assignment]).ok());
    auto reader = PayloadReader::Open(path, api.upload_headers[assignment].payload, model.spec);
    EXPECT_TRUE(reader.ok()) << reader.status();
    uploaded_manifest = reader->manifest();
    PayloadSource source(*reader);
    ModelState decoded(model.spec);
    for (uint32_t t = 0; t < decoded.floats.size(); ++t) {
      EXPECT_TRUE(source.ReadFloats(t, 0, absl::MakeSpan(decoded.floats[t])).ok());
      EXPECT_TRUE(source.ReadInts(t, 0, absl::MakeSpan(decoded.ints[t])).ok());
    }
    return decoded;
  }

  void Fault(const std::string& call, absl::Status status, uint64_t bytes = 0) {
    api.faults[call].push_back({std::move(status), bytes});
  }

  TemporaryDirectory folder;
  FakeClock clock;
  FakeSleeper sleeper;
  GateSleeper heartbeat_sleeper;
  RecordingObserver observer;
  FakeTrainer trainer;
  FakeFederation api;
  ModelState model;
  SessionOptions options;
  std::optional<StateFolder> state;
  std::unique_ptr<ClientSession> session;
  Manifest uploaded_manifest;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SESSION_SESSION_FIXTURE_H_
