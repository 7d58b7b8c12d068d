#include "client/session/uplink_pacer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/session/session_fixture.h"

namespace thinwire {
namespace {

// Bytes that were let go, and when.
using Record = std::vector<std::pair<Monotonic, uint64_t>>;

// A minute of an upload through a pacer whose sleeps are late by up to `late`.
Record Upload(uint64_t bits_per_second, absl::Duration late) {
  FakeClock clock;
  FakeSleeper sleeper(&clock);
  uint64_t sleeps = 0;
  sleeper.on_sleep = [&] { clock.Advance(late * (static_cast<double>(DeriveKey({++sleeps}) % 1000) / 1000)); };
  UplinkPacer pacer(bits_per_second, &clock, &sleeper);
  Record record;
  const Monotonic end = clock.Now() + absl::Minutes(1);
  while (clock.Now() < end) {
    const size_t piece = pacer.Piece(256 * 1024);
    EXPECT_THAT(pacer.Await(piece), IsOk());
    record.emplace_back(clock.Now(), piece + 24);
  }
  return record;
}

// The least and the most of any 10 seconds, of what the rate allows.
std::pair<double, double> ShareOfRate(const Record& record, uint64_t bits_per_second) {
  const double allowed = static_cast<double>(bits_per_second) / 8 * 10;
  double least = 1e9, most = 0;
  for (size_t first = 0; first < record.size(); ++first) {
    const Monotonic end = record[first].first + absl::Seconds(10);
    if (end > record.back().first) break;
    double bytes = 0;
    for (size_t i = first; i < record.size() && record[i].first < end; ++i)
      bytes += static_cast<double>(record[i].second);
    least = std::min(least, bytes / allowed);
    most = std::max(most, bytes / allowed);
  }
  return {least, most};
}

TEST(UplinkPacerTest, AnyTenSecondsAreWithinFivePercentOfTheRate) {
  for (const uint64_t rate : {8'000u, 64'000u, 128'000u, 1'000'000u, 20'000'000u}) {
    for (const absl::Duration late : {absl::ZeroDuration(), absl::Milliseconds(20), absl::Milliseconds(100)}) {
      const auto [least, most] = ShareOfRate(Upload(rate, late), rate);
      EXPECT_LE(most, 1.05) << rate << " " << late;
      EXPECT_GE(least, 0.95) << rate << " " << late;
    }
  }
}

TEST(UplinkPacerTest, APauseSavesNoMoreThanAQuarterSecond) {
  FakeClock clock;
  FakeSleeper sleeper(&clock);
  UplinkPacer pacer(800'000, &clock, &sleeper);
  clock.Advance(absl::Hours(1));
  uint64_t burst = 0;
  while (sleeper.delays.empty()) {
    ASSERT_THAT(pacer.Await(1'000), IsOk());
    burst += 1'000;
  }
  EXPECT_LE(burst, 25'000u + 1'000);
}

TEST(UplinkPacerTest, WithoutARateNothingWaits) {
  FakeClock clock;
  FakeSleeper sleeper(&clock);
  UplinkPacer pacer(0, &clock, &sleeper);
  EXPECT_EQ(pacer.Piece(1 << 20), size_t{1} << 20);
  for (int i = 0; i < 100; ++i) EXPECT_THAT(pacer.Await(1 << 20), IsOk());
  EXPECT_TRUE(sleeper.delays.empty());
}

TEST(UplinkPacerTest, AStopEndsTheWait) {
  FakeClock clock;
  FakeSleeper sleeper(&clock);
  UplinkPacer pacer(8'000, &clock, &sleeper);
  sleeper.Interrupt();
  absl::Status status;
  for (int i = 0; i < 10 && status.ok(); ++i) status = pacer.Await(pacer.Piece(1'000));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
}

class PacedSessionTest : public SessionFixture {};

// An update of 263 kB at 1 Mbit/s, whole and the same as without a pacer.
TEST_F(PacedSessionTest, AnUploadTakesTheTimeThatItsBytesNeed) {
  options.uplink_bits_per_second = 1'000'000;
  api.answers.push_back(MakeAssignment("a1"));
  const Monotonic start = clock.Now();
  EXPECT_EQ(RunSession().delivered, 1u);
  const double bytes = static_cast<double>(api.bytes_up) + 24.0 * static_cast<double>(api.bytes_up) / 1000;
  EXPECT_NEAR(absl::ToDoubleSeconds(clock.Now() - start), bytes / 125'000, 0.3);
  EXPECT_EQ(DecodeUpload("a1").floats[2][0], model.floats[2][0] + 1);
}

TEST_F(PacedSessionTest, ABrokenUploadGoesOnAndIsPacedStill) {
  options.uplink_bits_per_second = 1'000'000;
  api.answers.push_back(MakeAssignment("a1"));
  Fault("Upload", absl::UnavailableError("cut"), 100'000);
  const Monotonic start = clock.Now();
  EXPECT_EQ(RunSession().delivered, 1u);
  EXPECT_GE(absl::ToDoubleSeconds(clock.Now() - start), static_cast<double>(api.bytes_up) / 125'000 - 0.3);
  EXPECT_EQ(api.upload_offsets.back(), 100'000u);
}

}  // namespace
}  // namespace thinwire
