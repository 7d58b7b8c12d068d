// Rounds whose updates are aggregated by median or trimmed mean: an attacker, and a server that ends in the middle.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr size_t kClients = 5;
constexpr char kMedian[] = "round { clients: 5 } aggregation { median {} }";
constexpr char kTrimmed[] = "round { clients: 5 } aggregation { trimmed_mean { trim: 0.2 } }";

class RobustTest : public ServerFixture {
 protected:
  // All clients join and have work: assignments_[i] is that of client i.
  void Assign() {
    for (size_t i = 0; i < kClients; ++i) clients_.push_back(Client(absl::StrCat("c", i)));
    for (TestClient& client : clients_) ASSERT_THAT(client.Join(), IsOk());
    assignments_.resize(kClients);
    std::vector<std::thread> waiting;
    for (size_t i = 0; i < kClients; ++i) {
      waiting.emplace_back([this, i] { ASSERT_OK_AND_ASSIGN(assignments_[i], clients_[i].AwaitWork()); });
    }
    for (std::thread& thread : waiting) thread.join();
  }

  // What client i sends. The last one is the attacker: as large as it may be, and it claims to have all the data.
  ModelState Update(size_t i) const {
    ModelState update = FilledState(SmallModel(), 0);
    const bool attacker = i == kClients - 1;
    for (size_t tensor = 0; tensor < 3; ++tensor) {
      for (size_t k = 0; k < update.floats[tensor].size(); ++k) {
        const float honest = static_cast<float>((i * 7 + k * 3) % 11) / 16;
        update.floats[tensor][k] = attacker ? 300.0f : honest;
      }
    }
    update.ints[3][0] = static_cast<int64_t>(100 + i);
    return update;
  }
  void Send(size_t i) {
    const uint64_t examples = 1 + i;
    ASSERT_THAT(clients_[i].Upload(assignments_[i], Encode(Update(i), assignments_[i]), examples), IsOk());
  }

  // The version that must come out, by sorting; `trim` values go at each end.
  ModelState Expected(size_t trim) const {
    std::vector<ModelState> updates;
    for (size_t i = 0; i < kClients; ++i) updates.push_back(Update(i));
    ModelState expected = FilledState(SmallModel(), 1);
    for (size_t tensor = 0; tensor < 3; ++tensor) {
      for (size_t k = 0; k < expected.floats[tensor].size(); ++k) {
        std::vector<float> column;
        for (const ModelState& update : updates) {
          const float value = update.floats[tensor][k];
          column.push_back(tensor == 2 ? value - 1 : value);  // a buffer is sent as it is, and the model's are 1
        }
        std::sort(column.begin(), column.end());
        double sum = 0;
        for (size_t i = trim; i < kClients - trim; ++i) sum += column[i];
        expected.floats[tensor][k] += static_cast<float>(sum / static_cast<double>(kClients - 2 * trim));
      }
    }
    expected.ints[3][0] = 100 + kClients - 1;
    return expected;
  }
  void ExpectPublished(const ModelState& expected) {
    WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
    ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
    EXPECT_TRUE(model.floats == expected.floats);
    EXPECT_EQ(model.ints, expected.ints);
  }
  void WaitForFolded(uint32_t count) {
    WaitFor([count](const v1::Status& s) { return s.counters().folded() >= count; });
  }

  // Three updates are in when the server ends, two come after, in no particular order.
  void RestartInMidRound(const std::string& config, size_t trim) {
    Start(config);
    Assign();
    for (const size_t i : {4, 1, 3}) Send(i);
    WaitForFolded(3);
    Stop();
    Start(config);
    WaitForFolded(3);  // checked and taken in again, from the spool
    clients_.clear();
    for (size_t i = 0; i < kClients; ++i) clients_.push_back(Client(absl::StrCat("c", i)));
    for (const size_t i : {2, 0}) {
      ASSERT_THAT(clients_[i].Join(), IsOk());
      Send(i);
    }
    ExpectPublished(Expected(trim));
  }

  std::vector<TestClient> clients_;
  std::vector<v1::Assignment> assignments_;
};

TEST_F(RobustTest, AnAttackerThatClaimsMostExamplesDoesNotMoveTheMedian) {
  Start(kMedian);
  Assign();
  for (size_t i = 0; i < kClients; ++i) Send(i);
  ExpectPublished(Expected(2));
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
  EXPECT_LT(*std::max_element(model.floats[0].begin(), model.floats[0].end()), 2);
}

TEST_F(RobustTest, ATrimmedMeanLeavesTheExtremesOut) {
  Start(kTrimmed);
  Assign();
  for (size_t i = kClients; i-- > 0;) Send(i);
  ExpectPublished(Expected(1));
}

TEST_F(RobustTest, AServerThatEndsInMidRoundPublishesTheSameMedian) { RestartInMidRound(kMedian, 2); }

TEST_F(RobustTest, AServerThatEndsInMidRoundPublishesTheSameTrimmedMean) { RestartInMidRound(kTrimmed, 1); }

TEST_F(RobustTest, AnUpdateThatIsRefusedHasNoPlaceInAColumn) {
  Start("round { clients: 5 min_updates: 3 } aggregation { median {} max_update_norm: 1000 }");
  Assign();
  for (size_t i = 0; i < kClients; ++i) {
    // Three say 1; the norms of the others are over the limit.
    const float value = i < 3 ? 1.0f : 100.0f;
    ModelState update = FilledState(SmallModel(), value);
    std::fill(update.floats[2].begin(), update.floats[2].end(), 1);
    ASSERT_THAT(clients_[i].Upload(assignments_[i], Encode(update, assignments_[i])), IsOk());
  }
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
  EXPECT_THAT(model.floats[0], Each(2));
  EXPECT_EQ(ListRounds().rounds(0).counters().failed(), 2u);
}

TEST_F(RobustTest, ARunKeepsItsAggregator) {
  Start(kMedian);
  Stop();
  EXPECT_THAT(TryStart("round { clients: 5 }"),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("plan"), HasSubstr("; median"))));
  EXPECT_THAT(TryStart(kTrimmed), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("trimmed mean 0.2")));
  Start(kMedian);
}

}  // namespace
}  // namespace thinwire
