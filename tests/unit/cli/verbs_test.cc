// The verbs against a scripted server: what they print, what they write, how they exit.
#include "client/cli/verbs.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "common/base/file.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "thinwire/v1/control.grpc.pb.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ScriptedControl : public v1::Control::Service {
 public:
  std::vector<v1::Status> statuses;  // GetStatus gives the first, WatchStatus all
  uint32_t rounds = 0;               // numbered from 1
  v1::RoundSummary summary;          // of each, but for the number
  std::set<std::string> clients;
  v1::ClientSummary client;  // each of them, but for the id
  std::string model;         // what ExportModel sends
  uint64_t announced = 0;    // its size in the header; 0: the true one
  grpc::Status failure;

 private:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::GetStatusResponse* out) override {
    if (!statuses.empty()) *out->mutable_status() = statuses.front();
    return failure;
  }
  grpc::Status WatchStatus(grpc::ServerContext*, const v1::WatchStatusRequest*,
                           grpc::ServerWriter<v1::WatchStatusResponse>* out) override {
    for (const v1::Status& status : statuses) {
      v1::WatchStatusResponse response;
      *response.mutable_status() = status;
      out->Write(response);
    }
    return failure;
  }
  grpc::Status ListRounds(grpc::ServerContext*, const v1::ListRoundsRequest* in, v1::ListRoundsResponse* out) override {
    for (uint32_t round = std::max(1u, in->first_round()); round <= rounds; ++round) {
      if (out->rounds_size() == static_cast<int>(in->max_rounds())) break;
      *out->add_rounds() = summary;
      out->mutable_rounds()->rbegin()->set_round(round);
    }
    return failure;
  }
  grpc::Status ListClients(grpc::ServerContext*, const v1::ListClientsRequest* in,
                           v1::ListClientsResponse* out) override {
    for (auto it = clients.upper_bound(in->after_client_id()); it != clients.end(); ++it) {
      if (out->clients_size() == static_cast<int>(in->max_clients())) break;
      *out->add_clients() = client;
      out->mutable_clients()->rbegin()->set_client_id(*it);
    }
    return failure;
  }
  grpc::Status StartRun(grpc::ServerContext*, const v1::StartRunRequest*, v1::StartRunResponse* out) override {
    if (!statuses.empty()) *out->mutable_status() = statuses.front();
    return failure;
  }
  grpc::Status StopRun(grpc::ServerContext*, const v1::StopRunRequest* in, v1::StopRunResponse* out) override {
    if (!statuses.empty()) *out->mutable_status() = statuses.front();
    out->mutable_status()->set_reason(in->reason());
    return failure;
  }
  grpc::Status ExportModel(grpc::ServerContext*, const v1::ExportModelRequest* in,
                           grpc::ServerWriter<v1::ExportModelResponse>* out) override {
    if (!failure.ok()) return failure;
    v1::ExportModelResponse response;
    response.mutable_header()->set_version(in->has_version() ? in->version() : 9);
    response.mutable_header()->set_size(announced > 0 ? announced : model.size());
    out->Write(response);
    for (size_t offset = 0; offset < model.size(); offset += 100'000) {
      response.set_data(model.substr(offset, 100'000));
      out->Write(response);
    }
    return grpc::Status::OK;
  }
};

class VerbsTest : public testing::Test {
 protected:
  VerbsTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&control);
    server = builder.BuildAndStart();
    options.server = "127.0.0.1:" + std::to_string(port);
    options.security.insecure = true;
    options.out = folder.Path("model.safetensors");
  }

  CliExit Run(CliExit (*verb)(const CliOptions&)) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const CliExit code = verb(options);
    out = testing::internal::GetCapturedStdout();
    err = testing::internal::GetCapturedStderr();
    return code;
  }
  static v1::Status MakeStatus(v1::RunState state, uint32_t round) {
    v1::Status status;
    status.set_run_name("demo");
    status.set_state(state);
    status.set_round(round);
    status.set_rounds(10);
    return status;
  }

  TemporaryDirectory folder;
  ScriptedControl control;
  std::unique_ptr<grpc::Server> server;
  CliOptions options;
  std::string out, err;
};

TEST_F(VerbsTest, StatusPrintsTextOrJson) {
  control.statuses = {MakeStatus(v1::RUN_STATE_RUNNING, 3)};
  EXPECT_EQ(Run(RunStatus), CliExit::kOk);
  EXPECT_THAT(out, AllOf(HasSubstr("demo, RUNNING"), HasSubstr("3 of 10")));
  options.json = true;
  EXPECT_EQ(Run(RunStatus), CliExit::kOk);
  const nlohmann::json json = nlohmann::json::parse(out, nullptr, false);
  EXPECT_EQ(json.value("round", 0), 3);
}

TEST_F(VerbsTest, NoServerIsExitCodeThreeAndSaysWhereItLooked) {
  options.server = "127.0.0.1:1";
  for (const auto verb : {RunStatus, RunRounds, RunClients, RunStart, RunStop, RunWatch, RunExport}) {
    EXPECT_EQ(Run(verb), CliExit::kUnreachable);
    EXPECT_THAT(err, HasSubstr("no server answers at 127.0.0.1:1"));
    EXPECT_EQ(out, "");
  }
}

TEST_F(VerbsTest, ClientsListsAllPages) {
  for (int i = 0; i < 2345; ++i) control.clients.insert("site-" + std::to_string(i));
  EXPECT_EQ(Run(RunClients), CliExit::kOk);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1 + 2345);
  options.json = true;
  EXPECT_EQ(Run(RunClients), CliExit::kOk);
  EXPECT_EQ(nlohmann::json::parse(out, nullptr, false)["clients"].size(), 2345u);
}

TEST_F(VerbsTest, StartAndStopPrintTheStatusAfterIt) {
  control.statuses = {MakeStatus(v1::RUN_STATE_RUNNING, 1)};
  EXPECT_EQ(Run(RunStart), CliExit::kOk);
  EXPECT_THAT(out, HasSubstr("RUNNING round 1/10"));
  options.reason = "enough";
  options.json = true;
  EXPECT_EQ(Run(RunStop), CliExit::kOk);
  EXPECT_EQ(nlohmann::json::parse(out, nullptr, false).value("reason", ""), "enough");
}

TEST_F(VerbsTest, StartingOrStoppingARunThatHasEndedIsExitCodeSeven) {
  control.failure = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "run demo has ended (2 rounds published)");
  for (const auto verb : {RunStart, RunStop}) {
    EXPECT_EQ(Run(verb), CliExit::kRunEnded);
    EXPECT_THAT(err, HasSubstr("has ended"));
  }
}

TEST_F(VerbsTest, WatchPrintsALineForEachChangeAndEndsWithTheRun) {
  const v1::Status second = MakeStatus(v1::RUN_STATE_RUNNING, 2);
  control.statuses = {MakeStatus(v1::RUN_STATE_RUNNING, 1), second, second, MakeStatus(v1::RUN_STATE_COMPLETED, 10)};
  EXPECT_EQ(Run(RunWatch), CliExit::kOk);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3) << out;
  EXPECT_THAT(out, HasSubstr("COMPLETED round 10/10"));
}

TEST_F(VerbsTest, WatchingARunThatFailsIsExitCodeSix) {
  control.statuses = {MakeStatus(v1::RUN_STATE_FAILED, 4)};
  EXPECT_EQ(Run(RunWatch), CliExit::kRunFailed);
}

TEST_F(VerbsTest, AWatchThatTheServerBreaksOffIsAnError) {
  control.statuses = {MakeStatus(v1::RUN_STATE_RUNNING, 1)};
  EXPECT_EQ(Run(RunWatch), CliExit::kUnreachable);
  EXPECT_THAT(err, HasSubstr("ended the stream"));
}

TEST_F(VerbsTest, RoundsAreFetchedPageByPage) {
  control.rounds = 2345;
  options.json = true;
  EXPECT_EQ(Run(RunRounds), CliExit::kOk);
  const nlohmann::json json = nlohmann::json::parse(out, nullptr, false);
  ASSERT_TRUE(json.contains("rounds"));
  ASSERT_EQ(json["rounds"].size(), 2345u);
  EXPECT_EQ(json["rounds"][2344].value("round", 0), 2345);
}

TEST_F(VerbsTest, UploadsShowWhatUpdatesTookAndWhatCameOfIt) {
  control.rounds = 2;
  v1::UploadSummary* const uploads = control.summary.mutable_uploads();
  uploads->set_updates(10);
  uploads->set_payload_bits(199'000);
  uploads->set_granted_bits(200'000);
  uploads->set_bits_per_parameter(0.0497);
  uploads->set_distortion(0.1543);
  uploads->set_accuracy_per_megabit(0.25);
  uploads->mutable_encode_time()->set_seconds(2);
  control.summary.set_accuracy(0.75);
  EXPECT_EQ(Run(RunUploads), CliExit::kOk);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3) << out;
  EXPECT_THAT(out, AllOf(HasSubstr("199000"), HasSubstr("0.049700"), HasSubstr("99.50%"), HasSubstr("0.1543"),
                         HasSubstr("2.000"), HasSubstr("0.7500"), HasSubstr("0.25")));
  // A round that published nothing has none.
  control.summary.clear_uploads();
  EXPECT_EQ(Run(RunUploads), CliExit::kOk);
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << out;
}

TEST_F(VerbsTest, ClientsShowWhatTheirLinksCarryAndHowTheyUsedTheirBudgets) {
  control.clients = {"hospital-1"};
  EXPECT_EQ(Run(RunClients), CliExit::kOk);
  EXPECT_THAT(out, testing::ContainsRegex("hospital-1 +trainer +0 +0.0 s +- +- +0.000000 +- +- +- +0.000 "));
  control.client.set_uplink_bits_per_second(64'000);
  control.client.set_granted_bits(20'000);
  control.client.set_payload_bits(19'500);
  control.client.set_bits_per_parameter(0.049);
  control.client.set_distortion(0.125);
  control.client.set_weighted_distortion(0.0625);
  control.client.set_unsent_norm(3.5);
  control.client.mutable_encode_time()->set_seconds(2);
  EXPECT_EQ(Run(RunClients), CliExit::kOk);
  EXPECT_THAT(out,
              testing::ContainsRegex("hospital-1 +trainer +0 +0.0 s +64 kbit/s +97.50% +0.049000 +0.125 +0.0625 +3.5 "
                                     "+2.000 "));
}

TEST_F(VerbsTest, ExportWritesTheModelWholeAndSaysWhichVersion) {
  control.model = std::string(3'000'000, 'm') + "end";
  options.version = 4;
  EXPECT_EQ(Run(RunExport), CliExit::kOk);
  EXPECT_THAT(out, AllOf(HasSubstr("version 4"), HasSubstr(options.out)));
  EXPECT_THAT(ReadWholeFile(options.out, 1 << 24), IsOkAndHolds(control.model));
}

TEST_F(VerbsTest, AFailedExportLeavesTheOldFileAndNoRest) {
  ASSERT_THAT(WriteFileAtomically(options.out, "old"), IsOk());
  control.model = std::string(1000, 'm');
  control.announced = 2000;
  EXPECT_EQ(Run(RunExport), CliExit::kFailed);
  EXPECT_THAT(err, HasSubstr("got 1000 of 2000 bytes"));
  EXPECT_THAT(ReadWholeFile(options.out, 100), IsOkAndHolds("old"));
  ASSERT_OK_AND_ASSIGN(const auto names, ListDirectory(folder.path()));
  EXPECT_EQ(names.size(), 1u);
}

TEST_F(VerbsTest, AnUnknownVersionIsExitCodeFour) {
  control.failure = grpc::Status(grpc::StatusCode::NOT_FOUND, "no version 7");
  EXPECT_EQ(Run(RunExport), CliExit::kNotFound);
  EXPECT_THAT(err, HasSubstr("no version 7"));
}

TEST_F(VerbsTest, AFileThatCannotBeWrittenOrReadIsNoAnswerOfTheServer) {
  options.out = "/sys/model.safetensors";  // where nobody may write, not even root
  EXPECT_EQ(Run(RunExport), CliExit::kFailed) << err;
  options.out = folder.Path("no/such/folder/model.safetensors");
  EXPECT_EQ(Run(RunExport), CliExit::kNotFound) << err;
  options.file = folder.path();
  EXPECT_EQ(Run(RunInspect), CliExit::kFailed) << err;
}

TEST_F(VerbsTest, InspectTellsCodecAndBitsOfEachTensor) {
  auto spec = ModelSpec::Create({{"w", {100}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_THAT(spec, IsOk());
  const ModelState state(*spec);
  ModelStateSource source(state);
  options.file = folder.Path("p.payload");
  const EncodeOptions encoding{Representation::kModel, CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo), Digest{}};
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref, EncodePayload(*spec, encoding, source, options.file));
  EXPECT_EQ(Run(RunInspect), CliExit::kOk);
  EXPECT_THAT(out, AllOf(HasSubstr(ref.id.Hex()), HasSubstr("s1e3m7"), HasSubstr("model")));
  options.json = true;
  EXPECT_EQ(Run(RunInspect), CliExit::kOk);
  const nlohmann::json json = nlohmann::json::parse(out, nullptr, false);
  EXPECT_EQ(json.value("payload_id", ""), ref.id.Hex());
  EXPECT_EQ(json.value("values", 0), 100);
}

TEST_F(VerbsTest, InspectTellsADamagedFileFromAMissingOne) {
  options.file = folder.Path("missing");
  EXPECT_EQ(Run(RunInspect), CliExit::kNotFound);
  options.file = folder.Path("garbage");
  ASSERT_THAT(WriteFileAtomically(options.file, std::string(500, 'x')), IsOk());
  EXPECT_EQ(Run(RunInspect), CliExit::kBadPayload);
}

}  // namespace
}  // namespace thinwire
