// Bytes up and down: offsets, duplicates, late ones, and everything that can be wrong with them.
#include <gmock/gmock.h>

#include "common/wire/convert.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TransferTest : public ServerFixture {
 protected:
  // One client with work in a round of `config`.
  void StartWithWork(const std::string& config = "") {
    Start(config);
    client_ = std::make_unique<TestClient>(Client("a"));
    ASSERT_THAT(client_->Join(), IsOk());
    ASSERT_OK_AND_ASSIGN(work_, client_->AwaitWork());
    update_ = Encode(FilledState(SmallModel(), 1), work_);
  }
  v1::UploadStatusResponse UploadStatus() {
    return client_->UploadStatus(work_.assignment_id(), update_.ref.id).value_or(v1::UploadStatusResponse());
  }
  // Until the worker has given its verdict.
  v1::UploadStatusResponse Verdict() {
    WaitFor([](const v1::Status& s) { return s.counters().failed() > 0 || s.version() == 1; });
    return UploadStatus();
  }

  std::unique_ptr<TestClient> client_;
  v1::Assignment work_;
  PayloadBytes update_;
};

TEST_F(TransferTest, ADownloadGoesOnAtAnyOffsetInChunksOfTheWantedSize) {
  StartWithWork();
  ASSERT_OK_AND_ASSIGN(const std::string whole, client_->Download(work_.model()));
  const uint64_t size = work_.model().total_size();
  ASSERT_EQ(whole.size(), size);
  for (const uint64_t offset : {uint64_t{1}, uint64_t{262'144}, size - 1, size}) {
    ASSERT_OK_AND_ASSIGN(const std::string rest, client_->Download(work_.model(), offset));
    EXPECT_EQ(rest, whole.substr(offset)) << offset;
  }
  v1::DownloadRequest request;
  request.set_client_id("a");
  request.set_payload_id(work_.model().payload_id());
  request.set_max_chunk_bytes(10'000);
  grpc::ClientContext context;
  const auto reader = client_->stub()->Download(&context, request);
  v1::DownloadResponse response;
  std::string joined;
  while (reader->Read(&response)) {
    EXPECT_LE(response.data().size(), 10'000u);
    joined += response.data();
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(joined, whole);
}

TEST_F(TransferTest, ADownloadThatCannotBeIsRefused) {
  StartWithWork();
  v1::PayloadRef unknown = work_.model();
  EXPECT_THAT(client_->Download(unknown, unknown.total_size() + 1),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("offset is")));
  unknown.set_payload_id(std::string(32, 'x'));
  EXPECT_THAT(client_->Download(unknown), StatusIs(absl::StatusCode::kNotFound, HasSubstr("AwaitAssignment")));
  unknown.set_payload_id("short");
  EXPECT_THAT(client_->Download(unknown), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("payload_id")));
}

TEST_F(TransferTest, AnUploadGoesOnWhereItBrokeOff) {
  StartWithWork();
  v1::UploadHeader header = client_->Header(work_, update_.ref);
  const uint64_t half = update_.bytes.size() / 2;
  EXPECT_EQ(UploadStatus().state(), v1::UPDATE_STATE_UNKNOWN);
  EXPECT_THAT(client_->Upload(header, update_.bytes, half),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("UploadStatus")));
  const v1::UploadStatusResponse partial = UploadStatus();
  EXPECT_EQ(partial.state(), v1::UPDATE_STATE_PARTIAL);
  EXPECT_EQ(partial.received_bytes(), half);

  header.set_offset(half + 1);
  EXPECT_THAT(client_->Upload(header, update_.bytes, update_.bytes.size()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("offset is")));
  header.set_offset(half);
  ASSERT_OK_AND_ASSIGN(const v1::UploadResponse receipt, client_->Upload(header, update_.bytes, update_.bytes.size()));
  EXPECT_EQ(receipt.state(), v1::UPDATE_STATE_RECEIVED);
  EXPECT_EQ(GetStatus().trainer_traffic().up().payload_bytes(), update_.bytes.size());  // nothing twice
}

TEST_F(TransferTest, ANewPayloadReplacesThePartOfAnOlderOne) {
  StartWithWork();
  EXPECT_FALSE(client_->Upload(client_->Header(work_, update_.ref), update_.bytes, 70'000).ok());
  const PayloadBytes newer = Encode(FilledState(SmallModel(), 2), work_);
  ASSERT_THAT(client_->Upload(work_, newer), IsOk());
  EXPECT_EQ(UploadStatus().received_bytes(), 0u);
  WaitFor([](const v1::Status& s) { return s.version() == 1; });
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
  EXPECT_EQ(model.floats[0][0], 3);
}

TEST_F(TransferTest, ADuplicateGetsTheFirstReceipt) {
  StartWithWork("run { rounds: 2 }");
  ASSERT_THAT(client_->Upload(work_, update_), IsOk());
  WaitFor([](const v1::Status& s) { return s.version() == 1; });
  ASSERT_OK_AND_ASSIGN(const v1::UploadResponse again, client_->Upload(work_, update_));
  EXPECT_EQ(again.state(), v1::UPDATE_STATE_FOLDED);
  ASSERT_OK_AND_ASSIGN(const v1::UploadResponse other,
                       client_->Upload(work_, Encode(FilledState(SmallModel(), 7), work_)));
  EXPECT_EQ(other.state(), v1::UPDATE_STATE_FOLDED);
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export(1));
  EXPECT_EQ(model.floats[0][0], 2);  // counted once
}

TEST_F(TransferTest, DamagedBytesAreToldAtOnceAndStartOver) {
  StartWithWork();
  std::string damaged = update_.bytes;
  damaged[20] ^= 1;  // in the manifest
  EXPECT_THAT(client_->Upload(client_->Header(work_, update_.ref), damaged, damaged.size()),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(UploadStatus().state(), v1::UPDATE_STATE_UNKNOWN);
  ASSERT_THAT(client_->Upload(work_, update_), IsOk());
  EXPECT_EQ(Verdict().state(), v1::UPDATE_STATE_FOLDED);
}

TEST_F(TransferTest, GarbageIsAcknowledgedButNeverFolded) {
  StartWithWork("round { max_failed_rounds: 2 }");
  std::string garbage = update_.bytes;
  std::fill(garbage.begin() + update_.ref.manifest_size, garbage.end(), 'z');
  ASSERT_OK_AND_ASSIGN(const v1::UploadResponse receipt,
                       client_->Upload(client_->Header(work_, update_.ref), garbage, garbage.size()));
  EXPECT_EQ(receipt.state(), v1::UPDATE_STATE_RECEIVED);
  WaitFor([](const v1::Status& s) { return s.refusals_size() > 0; });
  const v1::UploadStatusResponse status = UploadStatus();
  EXPECT_EQ(status.state(), v1::UPDATE_STATE_FAILED);
  EXPECT_THAT(status.reason(), HasSubstr("bad update"));
  EXPECT_EQ(GetStatus().version(), 0u);
}

TEST_F(TransferTest, AnUpdateOfAnotherModelIsFailed) {
  StartWithWork();
  const ModelSpec other = *ModelSpec::Create({{"w", {70'003}, DataType::kFloat32, TensorRole::kTrainable}});
  ASSERT_THAT(client_->Upload(work_, Encode(FilledState(other, 1), work_)), IsOk());
  WaitFor([](const v1::Status& s) { return s.refusals_size() > 0; });
  EXPECT_EQ(UploadStatus().state(), v1::UPDATE_STATE_FAILED);
  EXPECT_THAT(UploadStatus().reason(), HasSubstr("model"));
}

TEST_F(TransferTest, TooManyBytesAreRefusedBeforeTheyAreRead) {
  StartWithWork();
  PayloadRef huge = update_.ref;
  huge.total_size = uint64_t{1} << 40;
  EXPECT_THAT(client_->Upload(client_->Header(work_, huge), update_.bytes, 0),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("1099511627776"), HasSubstr("at most"), HasSubstr("plan"))));
  // It would not get better by trying again: the place is lost.
  EXPECT_EQ(UploadStatus().state(), v1::UPDATE_STATE_FAILED);
}

TEST_F(TransferTest, MoreBytesThanDeclaredAreRefused) {
  StartWithWork();
  EXPECT_THAT(client_->Upload(client_->Header(work_, update_.ref), update_.bytes + "more", update_.bytes.size() + 4),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("declared")));
}

TEST_F(TransferTest, ClaimsThatJoinDidNotMakeAreRefused) {
  StartWithWork();
  EXPECT_THAT(client_->Upload(work_, update_, 11),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("examples is 11"), HasSubstr("1..10"))));
}

TEST_F(TransferTest, AStreamWithoutAHeaderIsRefused) {
  StartWithWork();
  for (const bool silent : {true, false}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    v1::UploadResponse response;
    const auto writer = client_->stub()->Upload(&context, &response);
    v1::UploadRequest chunk;
    chunk.set_data("data");
    if (!silent) writer->Write(chunk);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("header"));
  }
}

TEST_F(TransferTest, ANewerUploadTakesAnAssignmentOver) {
  StartWithWork();
  grpc::ClientContext context;
  v1::UploadResponse response;
  const auto stuck = client_->stub()->Upload(&context, &response);
  v1::UploadRequest request;
  *request.mutable_header() = client_->Header(work_, update_.ref);
  ASSERT_TRUE(stuck->Write(request));
  request.set_data(update_.bytes.substr(0, 4096));
  ASSERT_TRUE(stuck->Write(request));
  const Monotonic give_up = Clock::System()->Now() + absl::Seconds(30);
  while (UploadStatus().received_bytes() < 4096) ASSERT_LT(Clock::System()->Now(), give_up);
  v1::UploadHeader header = client_->Header(work_, update_.ref);
  header.set_offset(4096);
  ASSERT_THAT(client_->Upload(header, update_.bytes, update_.bytes.size()), IsOk());
  EXPECT_EQ(stuck->Finish().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(Verdict().state(), v1::UPDATE_STATE_FOLDED);
}

class LateTest : public TransferTest {
 protected:
  // Two clients have work; b delivers, and the deadline ends the round without a.
  void StartLate(const std::string& policy) {
    Start("run { rounds: 2 } round { clients: 2 min_updates: 1 deadline { nanos: 500000000 } " + policy + " }");
    client_ = std::make_unique<TestClient>(Client("a"));
    TestClient b = Client("b");
    ASSERT_THAT(client_->Join(), IsOk());
    ASSERT_THAT(b.Join(), IsOk());
    std::thread other([&] {
      ASSERT_OK_AND_ASSIGN(const v1::Assignment work, b.AwaitWork());
      EXPECT_THAT(b.Upload(work, Encode(FilledState(SmallModel(), 1), work)), IsOk());
    });
    ASSERT_OK_AND_ASSIGN(work_, client_->AwaitWork());
    other.join();
    update_ = Encode(FilledState(SmallModel(), 1), work_);
    // It is under way when the deadline comes.
    stuck_ = client_->stub()->Upload(&context_, &stuck_response_);
    v1::UploadRequest request;
    *request.mutable_header() = client_->Header(work_, update_.ref);
    ASSERT_TRUE(stuck_->Write(request));
    WaitFor([](const v1::Status& s) { return s.version() == 1; });
  }
  grpc::ClientContext context_;
  v1::UploadResponse stuck_response_;
  std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>> stuck_;
};

TEST_F(LateTest, ALateUpdateIsAcknowledgedAndDiscarded) {
  StartLate("late: LATE_POLICY_DISCARD");
  EXPECT_TRUE(stuck_->Finish().ok());
  EXPECT_EQ(stuck_response_.state(), v1::UPDATE_STATE_DISCARDED);
  ASSERT_OK_AND_ASSIGN(const v1::UploadResponse late, client_->Upload(work_, update_));
  EXPECT_EQ(late.state(), v1::UPDATE_STATE_DISCARDED);
  EXPECT_THAT(late.reason(), HasSubstr("deadline"));
  EXPECT_EQ(UploadStatus().state(), v1::UPDATE_STATE_DISCARDED);
}

TEST_F(LateTest, ALateUpdateIsRefusedIfThePolicySaysSo) {
  StartLate("late: LATE_POLICY_REFUSE");
  EXPECT_EQ(stuck_->Finish().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(client_->Upload(work_, update_), StatusIs(absl::StatusCode::kAborted, HasSubstr("deadline")));
}

}  // namespace
}  // namespace thinwire
