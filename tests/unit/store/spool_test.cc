#include "server/store/spool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "server/store/fail_point.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The spool knows nothing of a payload but its size and that its front hashes to its id.
struct Payload {
  explicit Payload(char fill, size_t size = 1000) : bytes(size, fill) {
    ref = {Sha256(absl::string_view(bytes).substr(0, 136)), size, 136};
  }
  absl::string_view From(size_t offset, size_t size = absl::string_view::npos) const {
    return absl::string_view(bytes).substr(offset, size);
  }
  std::string bytes;
  PayloadRef ref;
};

class SpoolTest : public ::testing::Test {
 protected:
  SpoolTest() {
    options_.directory = JoinPath(directory_.path(), "spool");
    options_.boot_id_path = JoinPath(directory_.path(), "this_boot");
    Boot("boot-1");
    Reopen({});
  }

  void Boot(const std::string& id) { ASSERT_THAT(WriteFileAtomically(options_.boot_id_path, id), IsOk()); }
  void Reopen(const SpoolContents& contents) {
    spool_.reset();
    absl::StatusOr<std::unique_ptr<Spool>> spool = Spool::Open(options_, contents);
    ASSERT_THAT(spool, IsOk());
    spool_ = *std::move(spool);
  }
  // Sends bytes [from, to) on a connection of their own.
  void Send(const std::string& assignment, const Payload& payload, size_t from, size_t to) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin(assignment, payload.ref));
    ASSERT_EQ(upload->received(), from);
    ASSERT_THAT(upload->Append(from, payload.From(from, to - from)), IsOk());
  }
  std::string SendWhole(const std::string& assignment, const Payload& payload) {
    const absl::StatusOr<std::unique_ptr<SpoolUpload>> upload = spool_->Begin(assignment, payload.ref);
    EXPECT_THAT(upload, IsOk());
    EXPECT_THAT((*upload)->Append(0, payload.bytes), IsOk());
    const absl::StatusOr<std::string> file = (*upload)->Complete();
    EXPECT_THAT(file, IsOk());
    return *file;
  }
  std::vector<std::string> Files() {
    std::vector<std::string> files = *ListDirectory(options_.directory);
    files.erase(std::remove(files.begin(), files.end(), "boot_id"), files.end());
    return files;
  }
  // Runs `body` on the spool in a process that dies at `fail_point`.
  template <typename Body>
  void DieAt(const std::string& fail_point, const Body& body) {
    const pid_t child = fork();
    if (child == 0) {
      if (!ArmFailPoint(fail_point).ok()) _exit(1);
      body();
      _exit(2);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit status " << status;
  }

  TemporaryDirectory directory_;
  SpoolOptions options_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, ChunksBecomeACompleteFile) {
  const Payload payload('x');
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("r1-a", payload.ref));
    for (size_t offset = 0; offset < 1000; offset += 250) {
      ASSERT_THAT(upload->Append(offset, payload.From(offset, 250)), IsOk());
    }
    EXPECT_EQ(spool_->partial_files(), 1u);
    ASSERT_OK_AND_ASSIGN(const std::string file, upload->Complete());
    EXPECT_EQ(file, absl::StrCat("r1-a.", payload.ref.id.Hex().substr(0, 16), ".update"));
    EXPECT_THAT(ReadWholeFile(spool_->PathOf(file), 5000), IsOkAndHolds(payload.bytes));
    EXPECT_THAT(upload->Complete(), IsOkAndHolds(file)) << "again";
  }
  EXPECT_EQ(spool_->partial_files(), 0u);
  EXPECT_EQ(spool_->total_bytes(), 1000u);
  ASSERT_THAT(spool_->Discard("r1-a"), IsOk());
  EXPECT_EQ(spool_->total_bytes(), 0u);
  EXPECT_THAT(Files(), ElementsAre());
  EXPECT_THAT(spool_->Discard("r1-a"), IsOk());
}

TEST_F(SpoolTest, ANewConnectionGoesOnWhereTheOldOneBroke) {
  const Payload payload('x');
  Send("a", payload, 0, 400);
  EXPECT_EQ(spool_->ReceivedBytes("a", payload.ref.id), 400u);
  EXPECT_EQ(spool_->ReceivedBytes("b", payload.ref.id), 0u);
  Send("a", payload, 400, 1000);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", payload.ref));
  ASSERT_OK_AND_ASSIGN(const std::string file, upload->Complete());
  EXPECT_THAT(ReadWholeFile(spool_->PathOf(file), 5000), IsOkAndHolds(payload.bytes));
}

TEST_F(SpoolTest, TheNewestConnectionOwnsTheUpload) {
  const Payload payload('x');
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> old, spool_->Begin("a", payload.ref));
  ASSERT_THAT(old->Append(0, payload.From(0, 10)), IsOk());
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<SpoolUpload> newer, spool_->Begin("a", payload.ref));
  EXPECT_EQ(newer->received(), 10u);
  EXPECT_THAT(old->Append(10, payload.From(10, 10)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(old->Complete(), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(newer->Append(10, payload.From(10)), IsOk());
  EXPECT_THAT(newer->Complete(), IsOk());
}

TEST_F(SpoolTest, WrongOffsetsAndTooManyBytesAreRefused) {
  const Payload payload('x');
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", payload.ref));
  EXPECT_THAT(upload->Append(1, "y"), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("goes on at byte 0")));
  EXPECT_THAT(upload->Append(0, std::string(1001, 'y')), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("1001")));
  EXPECT_THAT(upload->Complete(), StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("0 of 1000")));
  EXPECT_EQ(upload->received(), 0u);
}

TEST_F(SpoolTest, ANewPayloadReplacesAPartialOneButNotACompleteOne) {
  const Payload first('x');
  const Payload second('y', 500);
  Send("a", first, 0, 400);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", second.ref));
  EXPECT_EQ(upload->received(), 0u);
  EXPECT_EQ(spool_->ReceivedBytes("a", first.ref.id), 0u);
  EXPECT_EQ(spool_->total_bytes(), 500u);
  ASSERT_THAT(upload->Append(0, second.bytes), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string file, upload->Complete());
  EXPECT_THAT(Files(), ElementsAre(file));
  EXPECT_THAT(spool_->Begin("a", first.ref), StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> again, spool_->Begin("a", second.ref));
  EXPECT_EQ(again->received(), 500u);
  EXPECT_THAT(again->Complete(), IsOkAndHolds(file));
}

TEST_F(SpoolTest, BytesThatAreNotWhatWasAnnouncedAreThrownAway) {
  Payload payload('x');
  payload.ref.id = Sha256("something else");
  Send("a", payload, 0, 1000);
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", payload.ref));
    EXPECT_THAT(upload->Complete(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("send it again")));
  }
  EXPECT_THAT(Files(), ElementsAre());
  EXPECT_EQ(spool_->total_bytes(), 0u);
  EXPECT_EQ(spool_->partial_files(), 0u);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> fresh, spool_->Begin("a", Payload('x').ref));
  EXPECT_EQ(fresh->received(), 0u);
}

TEST_F(SpoolTest, IdsThatCouldLeaveTheFolderAreRefused) {
  const Payload payload('x');
  for (const std::string& bad : {std::string(), std::string("../a"), std::string("a/b"), std::string(".."),
                                 std::string("a b"), std::string("a\0b", 3), std::string(129, 'a')}) {
    EXPECT_THAT(spool_->Begin(bad, payload.ref), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
  EXPECT_THAT(spool_->Begin(std::string(128, 'a'), payload.ref), IsOk());
}

TEST_F(SpoolTest, ImpossibleSizesAreRefused) {
  const Digest id = Sha256("x");
  for (const PayloadRef& bad :
       {PayloadRef{id, 100, 136}, PayloadRef{id, 0, 0}, PayloadRef{id, 1000, 3}, PayloadRef{Digest{}, 1000, 136}}) {
    EXPECT_THAT(spool_->Begin("a", bad), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(SpoolTest, LimitsAreNamed) {
  options_.max_bytes = 2500;
  options_.max_partial_files = 3;
  Reopen({});
  const Payload payload('x');
  Send("a", payload, 0, 1);
  Send("b", payload, 0, 1);
  EXPECT_THAT(spool_->Begin("c", payload.ref), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2500")));
  EXPECT_THAT(spool_->Begin("c", PayloadRef{payload.ref.id, ~uint64_t{0}, 136}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  const Payload small('y', 200);
  Send("c", small, 0, 1);
  EXPECT_THAT(spool_->Begin("d", small.ref), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("3 partial")));
  ASSERT_THAT(spool_->Discard("a"), IsOk());
  EXPECT_THAT(spool_->Begin("d", small.ref), IsOk());
}

TEST_F(SpoolTest, PartialUploadsSurviveAKilledProcess) {
  const Payload payload('x');
  DieAt("after-spool-write:2", [&] {
    Send("open", payload, 0, 300);
    Send("open", payload, 300, 500);
  });
  Reopen({{"open"}, {}});
  EXPECT_EQ(spool_->ReceivedBytes("open", payload.ref.id), 500u);
  EXPECT_EQ(spool_->total_bytes(), 500u);
  Send("open", payload, 500, 1000);
  EXPECT_EQ(spool_->total_bytes(), 1000u) << "as declared";
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("open", payload.ref));
  EXPECT_THAT(upload->Complete(), IsOk());
}

TEST_F(SpoolTest, PartialUploadsStartOverAfterAPowerLoss) {
  const Payload payload('x');
  Send("open", payload, 0, 300);
  const std::string complete = SendWhole("done", payload);
  Boot("boot-2");
  Reopen({{"open"}, {complete}});
  EXPECT_EQ(spool_->ReceivedBytes("open", payload.ref.id), 0u);
  EXPECT_THAT(Files(), ElementsAre(complete));
  Send("open", payload, 0, 300);
  Reopen({{"open"}, {complete}});
  EXPECT_EQ(spool_->ReceivedBytes("open", payload.ref.id), 300u) << "the same boot";
}

TEST_F(SpoolTest, WhatTheJournalDoesNotWantIsRemovedAtStart) {
  const Payload payload('x');
  Send("dropped", payload, 0, 300);
  Send("open", payload, 0, 300);
  SendWhole("folded", payload);
  const std::string received = SendWhole("received", payload);
  ASSERT_THAT(WriteFileAtomically(spool_->PathOf("notes.txt"), "not the spool's"), IsOk());
  Reopen({{"open"}, {received}});
  const std::string prefix = payload.ref.id.Hex().substr(0, 16);
  EXPECT_THAT(Files(), ElementsAre("notes.txt", absl::StrCat("open.", prefix, ".part"), received));
  EXPECT_EQ(spool_->partial_files(), 1u);
}

TEST_F(SpoolTest, AKillAroundTheRenameCostsNoByteSent) {
  const Payload payload('x');
  for (const char* fail_point : {"before-spool-rename", "after-spool-rename"}) {
    DieAt(fail_point, [&] { SendWhole("a", payload); });
    Reopen({{"a"}, {}});
    EXPECT_EQ(spool_->ReceivedBytes("a", payload.ref.id), 1000u) << fail_point;
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", payload.ref));
    EXPECT_EQ(upload->received(), 1000u);
    ASSERT_OK_AND_ASSIGN(const std::string file, upload->Complete());
    EXPECT_THAT(Files(), ElementsAre(file));
    ASSERT_THAT(spool_->Discard("a"), IsOk());
  }
}

TEST_F(SpoolTest, AHandleWhoseUploadIsDiscardedFailsCleanly) {
  const Payload payload('x');
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", payload.ref));
  ASSERT_THAT(spool_->Discard("a"), IsOk());
  EXPECT_THAT(upload->Append(0, payload.bytes), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(upload->Complete(), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_F(SpoolTest, ManyUploadsAtOnceDoNotMixTheirBytes) {
  constexpr int kUploads = 6;
  std::vector<std::thread> clients;
  for (int i = 0; i < kUploads; ++i) {
    clients.emplace_back([this, i] {
      const Payload payload(static_cast<char>('a' + i), 20'000);
      const std::string assignment = absl::StrCat("r1-", i);
      for (size_t offset = 0; offset < 20'000; offset += 2'500) Send(assignment, payload, offset, offset + 2'500);
      ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin(assignment, payload.ref));
      ASSERT_OK_AND_ASSIGN(const std::string file, upload->Complete());
      EXPECT_THAT(ReadWholeFile(spool_->PathOf(file), 50'000), IsOkAndHolds(payload.bytes));
      if (i % 2 == 0) {
        EXPECT_THAT(spool_->Discard(assignment), IsOk());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(spool_->total_bytes(), 3 * 20'000u);
  EXPECT_EQ(spool_->partial_files(), 0u);
}

TEST_F(SpoolTest, ConnectionsThatFightOverOneUploadLeaveItWhole) {
  const Payload payload('x', 10'000);
  std::vector<std::thread> connections;
  for (int i = 0; i < 4; ++i) {
    connections.emplace_back([&] {
      for (;;) {
        ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", payload.ref));
        const uint64_t offset = upload->received();
        if (offset == payload.bytes.size()) return;
        const absl::Status status = upload->Append(offset, payload.From(offset, 100));
        ASSERT_TRUE(status.ok() || absl::IsAborted(status) || absl::IsOutOfRange(status)) << status;
      }
    });
  }
  for (std::thread& connection : connections) connection.join();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<SpoolUpload> upload, spool_->Begin("a", payload.ref));
  ASSERT_OK_AND_ASSIGN(const std::string file, upload->Complete());
  EXPECT_THAT(ReadWholeFile(spool_->PathOf(file), 50'000), IsOkAndHolds(payload.bytes));
}

}  // namespace
}  // namespace thinwire
