#include "tests/simulation/simulated_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/round/names.h"

namespace thinwire {
namespace {

constexpr absl::Duration kLongestDelivery = absl::Milliseconds(40);
constexpr uint64_t kMostKills = 40;

bool ComesOnce(const Event& event) {
  // Names nothing that a second one could be told by; the driver itself sends it, once.
  return std::holds_alternative<PublishFailed>(event) || std::holds_alternative<StopRequested>(event);
}

}  // namespace

SimulatedServer::SimulatedServer(const SimulationOptions& options, EventQueue* queue, Dice* dice, Callbacks callbacks)
    : options_(options), queue_(queue), dice_(dice), callbacks_(std::move(callbacks)) {
  if (!options_.round.ask_client_for_initial) journal_.Publish(0, {});
}

void SimulatedServer::Start() {
  coordinator_ = std::make_unique<RoundCoordinator>(options_.round, journal_.Restore(), queue_->now());
  Execute(coordinator_->Start(queue_->now()));
}

void SimulatedServer::Later(absl::Duration delay, std::function<void()> action) {
  queue_->After(delay, [this, process = process_, action = std::move(action)] {
    if (up() && process == process_) action();
  });
}

void SimulatedServer::Post(const Event& event) {
  Later(dice_->Between(absl::ZeroDuration(), kLongestDelivery), [this, event] { Deliver(event); });
  if (ComesOnce(event) || !dice_->Chance(options_.faults.message_twice)) return;
  Later(dice_->Between(absl::ZeroDuration(), absl::Seconds(3)), [this, event] { Deliver(event); });
}

void SimulatedServer::Deliver(const Event& event) {
  ++events_;
  Execute(coordinator_->Apply(event, queue_->now()));
}

void SimulatedServer::Execute(const std::vector<Effect>& effects) {
  Watch();
  const bool dies = kills_ < kMostKills && dice_->Chance(options_.faults.kill);
  const size_t last = dies ? dice_->Below(effects.size() + 1) : effects.size();
  for (size_t i = 0; i < last; ++i) {
    journal_.Write(effects[i], coordinator_->TimeLeft(queue_->now()));
    for (const char c : EffectText(effects[i])) trace_ = (trace_ ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    trace_ += static_cast<uint64_t>(absl::ToInt64Nanoseconds(queue_->now()));
    if (dies && i + 1 == last) break;  // written, not acted upon
    Act(effects[i]);
  }
  if (dies) return Die();
  ArmTimer();
}

// What must hold after every step, and what is remembered for the end.
void SimulatedServer::Watch() {
  const Monotonic now = queue_->now();
  if (const absl::Status lawful = coordinator_->CheckInvariants(); !lawful.ok())
    Violation(std::string(lawful.message()));
  if (coordinator_->NextDeadline() <= now) Violation("it wants to be woken in the past");
  const CoordinatorStatus status = coordinator_->Status(now);
  if (status.state < RunState::kCompleted && status.waiting_for.empty()) Violation("it does not say what it waits for");
  if (status.round_state == RoundState::kTraining) closed_at_.erase(status.round);
  if (status.round_state == RoundState::kClosing) closed_at_.try_emplace(status.round, now);
  if (now - saved_at_ >= absl::Seconds(5) && status.round_state == RoundState::kTraining) {
    journal_.SaveTimeLeft(coordinator_->TimeLeft(now));
    saved_at_ = now;
  }
}

void SimulatedServer::ArmTimer() {
  const Monotonic wanted = coordinator_->NextDeadline();
  if (wanted == timer_ || wanted == absl::InfiniteDuration()) return;
  timer_ = wanted;
  Later(wanted - queue_->now(), [this, wanted] {
    if (timer_ == wanted) timer_ = absl::InfiniteDuration();
    Deliver(Tick());
  });
}

void SimulatedServer::Die() {
  ++kills_;
  ++process_;
  coordinator_.reset();
  accumulator_.reset();
  timer_ = absl::InfiniteDuration();
  queue_->After(dice_->Between(absl::Milliseconds(100), absl::Seconds(20)), [this] {
    callbacks_.restarted();
    Start();
  });
}

void SimulatedServer::Act(const Effect& effect) {
  if (const auto* open = std::get_if<OpenRound>(&effect)) {
    accumulator_ = std::make_shared<Accumulator>();
    if (dice_->Chance(options_.faults.abort)) Post(RoundAborted{open->round, "memory: too little"});
  } else if (const auto* assign = std::get_if<Assign>(&effect)) {
    callbacks_.assigned(*assign);
    const bool later = assign->kind == WorkKind::kTrain && assign->time_left < options_.round.deadline;
    if (later && !assign->repeated) ++replacements_;
  } else if (const auto* fold = std::get_if<Fold>(&effect)) {
    StartFold(fold->assignment);
  } else if (const auto* initial = std::get_if<PublishInitial>(&effect)) {
    PublishInitialWeights(initial->assignment);
  } else if (const auto* close = std::get_if<CloseRound>(&effect)) {
    StartPublishing(*close);
  } else if (const auto* dismiss = std::get_if<Dismiss>(&effect)) {
    callbacks_.dismissed(dismiss->client);
  }
}

bool SimulatedServer::IsBad(const std::string& id) const {
  RandomStream random(DeriveKey({options_.seed, KeyWord(id)}));
  return random.NextDouble() < options_.faults.bad_update;
}

void SimulatedServer::StartFold(const std::string& id) {
  Later(dice_->Between(absl::Milliseconds(5), absl::Milliseconds(500)),
        [this, id, accumulator = accumulator_] { FinishFold(id, accumulator.get()); });
}

void SimulatedServer::FinishFold(const std::string& id, Accumulator* accumulator) {
  if (IsBad(id)) return Post(AssignmentFailed{id, "NaN: tensor 3, index 14", false});
  if (accumulator == nullptr) return Violation("a fold without a round: " + id);
  accumulator->push_back(id);
  Post(UpdateFolded{id});
}

void SimulatedServer::StartPublishing(const CloseRound& close) {
  Accumulator summed = *accumulator_;
  std::sort(summed.begin(), summed.end());
  if (summed != close.folded)
    Violation(absl::StrCat("round ", close.round, " closes with other updates than were summed"));
  if (close.folded.size() > options_.round.clients || close.folded.size() < options_.round.min_updates) {
    Violation(absl::StrCat("round ", close.round, " closes with ", close.folded.size(), " updates"));
  }
  Later(dice_->Between(absl::Milliseconds(10), absl::Seconds(1)), [this, close] { FinishPublishing(close); });
}

void SimulatedServer::FinishPublishing(const CloseRound& close) {
  if (dice_->Chance(options_.faults.publish_fails)) return Post(PublishFailed{"disk: no space left"});
  journal_.Publish(close.new_version, close.folded);
  folded_[close.round] = static_cast<uint32_t>(close.folded.size());
  if (kills_ < kMostKills && dice_->Chance(options_.faults.kill)) return Die();
  Post(VersionPublished{close.new_version});
}

void SimulatedServer::PublishInitialWeights(const std::string& id) {
  Later(dice_->Between(absl::Milliseconds(10), absl::Seconds(1)), [this, id] {
    if (IsBad(id)) return Post(AssignmentFailed{id, "NaN: tensor 3, index 14", false});
    if (dice_->Chance(options_.faults.publish_fails)) return Post(PublishFailed{"disk: no space left"});
    journal_.Publish(0, {id});
    Post(VersionPublished{0});
  });
}

AssignmentState SimulatedServer::Upload(const std::string& id) {
  if (journal_.rows().count(id) == 0) {
    Violation("an assignment was handed out that the journal does not know: " + id);
    return AssignmentState::kFailed;
  }
  const AssignmentState state = journal_.CommitUpdate(id);
  if (state != AssignmentState::kReceived) return state;
  committed_at_.try_emplace(id, queue_->now());
  Post(UpdateReceived{id});
  return state;
}

void SimulatedServer::ReportEvaluation(const std::string& id) {
  if (journal_.rows().at(id).record.state != AssignmentState::kTraining) return;  // given up, or reported before
  journal_.CommitEvaluation(id);
  Post(EvaluationReported{id});
}

}  // namespace thinwire
