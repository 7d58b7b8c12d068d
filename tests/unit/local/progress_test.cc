#include "deploy/local/progress.h"

#include <cstdio>
#include <string>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

v1::Status Running(uint32_t round, uint32_t folded) {
  v1::Status status;
  status.set_state(v1::RUN_STATE_RUNNING);
  status.set_round(round);
  status.set_rounds(10);
  status.set_round_state(v1::ROUND_STATE_TRAINING);
  status.mutable_counters()->set_invited(10);
  status.mutable_counters()->set_folded(folded);
  status.set_trainers(10);
  return status;
}

v1::Status WithAccuracy(v1::Status status, double accuracy, uint64_t version) {
  status.set_accuracy(accuracy);
  status.set_accuracy_version(version);
  return status;
}

// What Progress writes.
class ProgressTest : public testing::Test {
 protected:
  ~ProgressTest() override { std::fclose(file_); }
  std::string Written() {
    std::string text(static_cast<size_t>(std::ftell(file_)), '\0');
    std::rewind(file_);
    EXPECT_EQ(std::fread(text.data(), 1, text.size(), file_), text.size());
    return text;
  }

  std::FILE* file_ = std::tmpfile();
};

TEST(ProgressLineTest, TellsRoundAccuracyBytesClientsAndTimeLeft) {
  EXPECT_EQ(ProgressLine(WithAccuracy(Running(3, 4), 0.73125, 2), {3'100'000, 4'700'000}, absl::Seconds(34)),
            "round 3/10, 4/10 updates | accuracy 0.7312 (v2) | down 4.7 MB, up 3.1 MB | 10 clients | "
            "34 s left");
}

TEST(ProgressLineTest, LeavesOutWhatIsNotKnownYet) {
  v1::Status status;
  status.set_state(v1::RUN_STATE_INITIALIZING);
  status.set_trainers(3);
  EXPECT_EQ(ProgressLine(status, {}, std::nullopt), "waiting for initial weights | down 0.0 MB, up 0.0 MB | 3 clients");
}

TEST(RoundsDoneTest, CountsTheOpenRoundByItsUpdates) {
  EXPECT_EQ(RoundsDone(v1::Status()), 0);
  EXPECT_EQ(RoundsDone(Running(1, 0)), 0);
  EXPECT_EQ(RoundsDone(Running(3, 5)), 2.5);
  v1::Status published = Running(3, 10);
  published.set_round_state(v1::ROUND_STATE_PUBLISHED);
  EXPECT_EQ(RoundsDone(published), 3);
}

TEST_F(ProgressTest, APipeGetsALineForEachVersionsAccuracyAndNoMore) {
  Progress progress(file_, false);
  progress.Update(Running(1, 0), {}, absl::Seconds(0));
  progress.Update(Running(1, 5), {}, absl::Seconds(1));
  progress.Update(WithAccuracy(Running(2, 0), 0.5, 1), {}, absl::Seconds(2));
  progress.Update(WithAccuracy(Running(2, 1), 0.5, 1), {}, absl::Seconds(3));
  progress.End();
  EXPECT_EQ(Written(),
            "round 1/10, 0/10 updates | down 0.0 MB, up 0.0 MB | 10 clients\n"
            "round 2/10, 0/10 updates | accuracy 0.5000 (v1) | down 0.0 MB, up 0.0 MB | 10 clients | "
            "18 s left\n");
}

TEST_F(ProgressTest, ATerminalGetsOneLineDrawnAgainAndAgain) {
  Progress progress(file_, true);
  progress.Update(Running(1, 0), {}, absl::Seconds(0));
  progress.Update(Running(1, 5), {}, absl::Seconds(1));
  progress.End();
  EXPECT_EQ(Written(),
            "\r\033[Kround 1/10, 0/10 updates | down 0.0 MB, up 0.0 MB | 10 clients"
            "\r\033[Kround 1/10, 5/10 updates | down 0.0 MB, up 0.0 MB | 10 clients | 19 s left\n");
}

}  // namespace
}  // namespace thinwire
