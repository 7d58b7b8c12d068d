// A launcher's whole run against a Control service that lives in this process, with shell scripts for server and
// clients.
#include <grpcpp/grpcpp.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "deploy/local/run_demo.h"
#include "deploy/local/sockets.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "thinwire/v1/control.grpc.pb.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

// Tells a run's story once, then ends the stream.
class StoryTeller : public v1::Control::Service {
 public:
  explicit StoryTeller(std::string all_told) : all_told_(std::move(all_told)) {}

  std::vector<v1::Status> story;
  std::vector<v1::RoundSummary> rounds;
  uint32_t page = 1000;  // rounds in one answer

  grpc::Status WatchStatus(grpc::ServerContext*, const v1::WatchStatusRequest*,
                           grpc::ServerWriter<v1::WatchStatusResponse>* writer) override {
    for (const v1::Status& status : story) {
      v1::WatchStatusResponse response;
      *response.mutable_status() = status;
      writer->Write(response);
    }
    return grpc::Status::OK;
  }
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::GetStatusResponse* response) override {
    *response->mutable_status() = story.back();
    response->mutable_status()->mutable_trainer_traffic()->mutable_up()->set_message_bytes(777);
    return grpc::Status::OK;
  }
  grpc::Status ListRounds(grpc::ServerContext*, const v1::ListRoundsRequest* request,
                          v1::ListRoundsResponse* response) override {
    for (const v1::RoundSummary& round : rounds) {
      if (round.round() < request->first_round() || static_cast<uint32_t>(response->rounds_size()) == page) continue;
      *response->add_rounds() = round;
    }
    // The run is over: the client scripts wait for this file.
    return WriteFileAtomically(all_told_, "").ok() ? grpc::Status::OK
                                                   : grpc::Status(grpc::StatusCode::INTERNAL, "disk");
  }

 private:
  const std::string all_told_;
};

v1::Status InState(v1::RunState state) {
  v1::Status status;
  status.set_state(state);
  status.set_rounds(3);
  return status;
}

class FollowRunTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* file :
         {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
      ASSERT_THAT(WriteFileAtomically(directory_.Path(file), ""), IsOk());
    }
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&teller_);
    server_ = builder.BuildAndStart();
    const std::string address = absl::StrCat("127.0.0.1:", port);
    Program("thinwire-server", absl::StrCat("dir=$(dirname \"$2\")/state\n", "echo '{\"federation\": \"", address,
                                            "\", \"control\": \"", address, "\"}' > \"$dir/new\"\n",
                                            "mv \"$dir/new\" \"$dir/endpoints.json\"\nexec sleep 1000\n"));
    Program("thinwire-client", "until [ -e \"$(dirname \"$0\")/all-told\" ]; do sleep 0.01; done\n");
    options_.data = directory_.path();
    options_.out = directory_.Path("run");
    options_.clients = 2;
  }

  void Program(const std::string& name, const std::string& script) {
    ASSERT_THAT(WriteFileAtomically(directory_.Path(name), "#!/bin/sh\n" + script), IsOk());
    ASSERT_EQ(chmod(directory_.Path(name).c_str(), 0755), 0);
  }
  absl::StatusOr<RunReport> Run() {
    const UniqueFd no_signal(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    Progress progress(stdout, false);
    return RunDemo(options_, directory_.path(), no_signal.get(), &progress);
  }

  TemporaryDirectory directory_;
  StoryTeller teller_{directory_.Path("all-told")};
  std::unique_ptr<grpc::Server> server_;
  DemoOptions options_;
};

TEST_F(FollowRunTest, ACompletedRunIsReportedAndWritten) {
  v1::Status end = InState(v1::RUN_STATE_COMPLETED);
  end.set_accuracy(0.75);
  end.set_model_path("/exported/model.safetensors");
  end.mutable_trainer_traffic()->mutable_down()->set_payload_bytes(1000);
  end.mutable_evaluator_traffic()->mutable_down()->set_fp32_payload_bytes(3000);
  teller_.story = {InState(v1::RUN_STATE_INITIALIZING), InState(v1::RUN_STATE_RUNNING), end};
  for (uint32_t i = 1; i <= 3; ++i) {
    teller_.rounds.emplace_back().set_round(i);
    teller_.rounds.back().set_accuracy(0.25 * i);
  }
  teller_.page = 2;
  ASSERT_OK_AND_ASSIGN(const RunReport report, Run());
  EXPECT_EQ(report.state, "COMPLETED");
  EXPECT_EQ(report.accuracy, 0.75);
  ASSERT_EQ(report.rounds.size(), 3u);
  EXPECT_EQ(report.rounds[2].accuracy, 0.75);
  EXPECT_EQ(report.trainers.down.payload, 1000u);
  EXPECT_EQ(report.trainers.up.message, 777u) << "asked again after the clients' end";
  EXPECT_EQ(report.evaluator.down.fp32_payload, 3000u);
  EXPECT_EQ(report.model_path, "/exported/model.safetensors");
  EXPECT_GT(report.clients.peak_rss_bytes, 0u);
  ASSERT_OK_AND_ASSIGN(const std::string json, ReadWholeFile(report.directory + "/result.json", 1 << 20));
  EXPECT_EQ(nlohmann::json::parse(json)["rounds"].size(), 3u);
  EXPECT_THAT(ReadWholeFile(report.directory + "/result.md", 1 << 20), IsOkAndHolds(HasSubstr("| 3 | 0.7500 |")));
}

TEST_F(FollowRunTest, AFailedRunIsAReportThatSaysWhy) {
  v1::Status end = InState(v1::RUN_STATE_FAILED);
  end.set_reason("3 rounds failed in a row");
  teller_.story = {end};
  ASSERT_OK_AND_ASSIGN(const RunReport report, Run());
  EXPECT_EQ(report.state, "FAILED");
  EXPECT_EQ(report.reason, "3 rounds failed in a row");
  EXPECT_TRUE(report.rounds.empty());
}

TEST_F(FollowRunTest, AStatusThatBreaksOffIsAnError) {
  teller_.story = {InState(v1::RUN_STATE_RUNNING)};
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("broke off")));
}

}  // namespace
}  // namespace thinwire
