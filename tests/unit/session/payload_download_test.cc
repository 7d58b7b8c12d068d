#include "client/session/payload_download.h"

#include "gmock/gmock.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PayloadDownloadTest : public SessionFixture {
 protected:
  PayloadDownloadTest() : ref(Publish(model)), downloader(state->download_directory(), &api) {}

  std::string PartPath() const { return JoinPath(state->download_directory(), ref.id.Hex() + ".part"); }
  std::string& Served() { return api.payloads[ref.id]; }

  PayloadRef ref;
  PayloadDownloader downloader;
};

TEST_F(PayloadDownloadTest, FetchesOnceThenServesFromTheCache) {
  ASSERT_OK_AND_ASSIGN(const std::string path, downloader.Fetch(ref, nullptr));
  EXPECT_THAT(ReadWholeFile(path, 1 << 24), IsOkAndHolds(Served()));
  EXPECT_THAT(downloader.Fetch(ref, nullptr), IsOkAndHolds(path));
  EXPECT_EQ(api.Count("Download"), 1u);
  EXPECT_EQ(downloader.bytes_received(), ref.total_size);
}

TEST_F(PayloadDownloadTest, ReportsProgressFromTheResumedByteOn) {
  Fault("Download", absl::UnavailableError("cut"), 5000);
  EXPECT_FALSE(downloader.Fetch(ref, nullptr).ok());
  uint64_t first_start = 0, last_done = 0;
  ASSERT_THAT(downloader.Fetch(ref,
                               [&](uint64_t start, uint64_t done, uint64_t total) {
                                 first_start = start;
                                 last_done = done;
                                 EXPECT_EQ(total, ref.total_size);
                               }),
              IsOk());
  EXPECT_EQ(first_start, 5000u);
  EXPECT_EQ(last_done, ref.total_size);
}

TEST_F(PayloadDownloadTest, ManyBreaksCostNoByteTwice) {
  uint64_t seen = 0;
  while (!downloader.Fetch(ref, nullptr).ok()) {
    Fault("Download", absl::UnavailableError("cut"), 9999);
    ASSERT_LT(++seen, 1000u);
    if (seen == 1) Fault("Download", absl::UnavailableError("cut"), 1);
  }
  EXPECT_EQ(api.bytes_down, ref.total_size);
}

TEST_F(PayloadDownloadTest, AWrongManifestIsFoundBeforeTheSegmentsAreFetched) {
  Served()[40] ^= 1;
  EXPECT_THAT(downloader.Fetch(ref, nullptr), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("manifest")));
  EXPECT_LE(api.bytes_down, ref.manifest_size + api.chunk);
  Served()[40] ^= 1;
  EXPECT_THAT(downloader.Fetch(ref, nullptr), IsOk());
  EXPECT_THAT(api.download_offsets, ElementsAre(0, 0));
}

TEST_F(PayloadDownloadTest, MoreBytesThanAnnouncedAreRefused) {
  Served() += "more";
  EXPECT_THAT(downloader.Fetch(ref, nullptr), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("more have come")));
}

TEST_F(PayloadDownloadTest, AStreamThatEndsEarlyIsAReasonToComeBack) {
  Served().resize(10'000);
  EXPECT_THAT(downloader.Fetch(ref, nullptr), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("byte 10000 of")));
}

TEST_F(PayloadDownloadTest, WhatAnOldProcessLeftIsTakenOnlyIfItCanBelongToThePayload) {
  ASSERT_THAT(WriteFileAtomically(PartPath(), std::string(ref.manifest_size + 10, 'x')), IsOk());
  ASSERT_THAT(downloader.Fetch(ref, nullptr), IsOk());
  EXPECT_THAT(api.download_offsets, ElementsAre(0));
}

TEST_F(PayloadDownloadTest, APartThatWasCompleteNeedsNoCall) {
  ASSERT_THAT(WriteFileAtomically(PartPath(), Served()), IsOk());
  ASSERT_THAT(downloader.Fetch(ref, nullptr), IsOk());
  EXPECT_EQ(api.Count("Download"), 0u);
}

TEST_F(PayloadDownloadTest, CuttingKeepsWhatPrecedesTheDamage) {
  ASSERT_OK_AND_ASSIGN(const std::string path, downloader.Fetch(ref, nullptr));
  std::string damaged = Served();
  const uint64_t first_segment = ref.manifest_size + kBlockValues * 4 + 16;
  damaged[first_segment + 5] ^= 1;
  ASSERT_THAT(WriteFileAtomically(path, damaged), IsOk());
  ASSERT_THAT(downloader.CutToIntactPrefix(ref), IsOk());
  ASSERT_THAT(downloader.Fetch(ref, nullptr), IsOk());
  EXPECT_THAT(api.download_offsets, ElementsAre(0, first_segment));
  EXPECT_THAT(ReadWholeFile(path, 1 << 24), IsOkAndHolds(Served()));
}

TEST_F(PayloadDownloadTest, CuttingADamagedManifestKeepsNothing) {
  ASSERT_OK_AND_ASSIGN(const std::string path, downloader.Fetch(ref, nullptr));
  std::string damaged = Served();
  damaged[3] ^= 1;
  ASSERT_THAT(WriteFileAtomically(path, damaged), IsOk());
  ASSERT_THAT(downloader.CutToIntactPrefix(ref), IsOk());
  ASSERT_THAT(downloader.Fetch(ref, nullptr), IsOk());
  EXPECT_THAT(api.download_offsets, ElementsAre(0, 0));
}

TEST_F(PayloadDownloadTest, KeepsOnlyWhatIsNamed) {
  ASSERT_THAT(downloader.Fetch(ref, nullptr), IsOk());
  const PayloadRef newer = Publish(MakeModel(1));
  ASSERT_THAT(downloader.Fetch(newer, nullptr), IsOk());
  ASSERT_THAT(downloader.KeepOnly({newer.id}), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto names, ListDirectory(state->download_directory()));
  EXPECT_THAT(names, ElementsAre(newer.id.Hex() + ".payload"));
}

}  // namespace
}  // namespace thinwire
