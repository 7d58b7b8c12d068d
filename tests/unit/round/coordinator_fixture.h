// A coordinator with a clock, and shorthand for what happens to it.
#ifndef THINWIRE_TESTS_UNIT_ROUND_COORDINATOR_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_ROUND_COORDINATOR_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/round/names.h"
#include "server/round/round_coordinator.h"

namespace thinwire {

using Texts = std::vector<std::string>;

class CoordinatorFixture : public testing::Test {
 protected:
  // Three clients wanted, three invited, two needed; one round of a minute; version 0 is there; nothing is evaluated.
  CoordinatorFixture() {
    options_.clients = 3;
    options_.invited = 3;
    options_.min_updates = 2;
    options_.deadline = absl::Minutes(1);
    options_.evaluate_every = 0;
    restored_.version = 0;
  }

  // Starts (again) from restored_.
  Texts Start() {
    coordinator_ = std::make_unique<RoundCoordinator>(options_, restored_, clock_.Now());
    return Told(coordinator_->Start(clock_.Now()));
  }
  Texts Apply(const Event& event) { return Told(coordinator_->Apply(event, clock_.Now())); }
  Texts Wait(const std::string& client) { return Apply(ClientWaiting{client, Role::kTrainer, 1}); }
  Texts WaitAll(const std::vector<std::string>& clients) {
    Texts all;
    for (const std::string& client : clients) {
      for (std::string& text : Wait(client)) all.push_back(std::move(text));
    }
    return all;
  }
  Texts Evaluator(const std::string& client) { return Apply(ClientWaiting{client, Role::kEvaluator, 1}); }
  Texts Received(const std::string& id) { return Apply(UpdateReceived{id}); }
  Texts Folded(const std::string& id) { return Apply(UpdateFolded{id}); }
  void Deliver(const std::string& id) {
    Received(id);
    Folded(id);
  }
  Texts Advance(absl::Duration by) {
    clock_.Advance(by);
    return Apply(Tick());
  }
  CoordinatorStatus Status() const { return coordinator_->Status(clock_.Now()); }
  void Remember(const std::string& client, AssignmentState state, uint32_t round = 1) {
    AssignmentRecord record;
    record.client = client;
    record.id = "r" + std::to_string(round) + "-" + client;
    record.round = round;
    record.state = state;
    restored_.assignments.push_back(record);
  }
  AssignmentRecord Other(const std::string& id, const std::string& client, WorkKind kind, AssignmentState state,
                         uint64_t version = 0) {
    AssignmentRecord record;
    record.id = id;
    record.client = client;
    record.kind = kind;
    record.state = state;
    record.version = version;
    return record;
  }

  RoundOptions options_;
  RestoredRun restored_;
  FakeClock clock_;
  std::unique_ptr<RoundCoordinator> coordinator_;

 private:
  // Effects as text; every step leaves a lawful state.
  Texts Told(const std::vector<Effect>& effects) {
    EXPECT_EQ(coordinator_->CheckInvariants(), absl::OkStatus());
    EXPECT_GT(coordinator_->NextDeadline(), clock_.Now());
    Texts texts;
    for (const Effect& effect : effects) texts.push_back(EffectText(effect));
    return texts;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_ROUND_COORDINATOR_FIXTURE_H_
