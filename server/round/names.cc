#include "server/round/names.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace thinwire {

absl::string_view Name(RunState state) {
  switch (state) {
    case RunState::kInitializing:
      return "initializing";
    case RunState::kRunning:
      return "running";
    case RunState::kEvaluating:
      return "evaluating";
    case RunState::kCompleted:
      return "completed";
    case RunState::kStopped:
      return "stopped";
    case RunState::kFailed:
      return "failed";
  }
  return "unknown";
}

absl::string_view Name(RoundState state) {
  switch (state) {
    case RoundState::kIdle:
      return "idle";
    case RoundState::kInviting:
      return "inviting";
    case RoundState::kTraining:
      return "training";
    case RoundState::kClosing:
      return "closing";
    case RoundState::kPublished:
      return "published";
    case RoundState::kFailed:
      return "failed";
  }
  return "unknown";
}

absl::string_view Name(AssignmentState state) {
  switch (state) {
    case AssignmentState::kTraining:
      return "training";
    case AssignmentState::kReceived:
      return "received";
    case AssignmentState::kFolded:
      return "folded";
    case AssignmentState::kFailed:
      return "failed";
    case AssignmentState::kDropped:
      return "dropped";
    case AssignmentState::kDiscarded:
      return "discarded";
  }
  return "unknown";
}

absl::string_view Name(WorkKind kind) {
  switch (kind) {
    case WorkKind::kInitialize:
      return "initialize";
    case WorkKind::kTrain:
      return "train";
    case WorkKind::kEvaluate:
      return "evaluate";
  }
  return "unknown";
}

std::string SecondsText(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return "no limit";
  const absl::Duration rounded = absl::Ceil(std::max(duration, absl::ZeroDuration()), absl::Seconds(1));
  return absl::StrCat(absl::ToInt64Seconds(rounded), " s");
}

std::string CountText(uint64_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

std::string ReasonClass(absl::string_view reason) { return std::string(reason.substr(0, reason.find(':'))); }

namespace {

std::string AssignText(const Assign& effect) {
  std::string what = absl::StrCat(Name(effect.kind));
  if (effect.kind == WorkKind::kTrain)
    absl::StrAppend(&what, " round ", effect.round, " from version ", effect.version);
  if (effect.kind == WorkKind::kEvaluate) absl::StrAppend(&what, " version ", effect.version);
  if (effect.time_left != absl::InfiniteDuration()) {
    absl::StrAppend(&what, ", ", SecondsText(effect.time_left), " left");
  }
  return absl::StrCat("assign ", effect.assignment, " to ", effect.client, effect.repeated ? " again: " : ": ", what);
}

struct EffectTexts {
  std::string operator()(const OpenRound& effect) const {
    return absl::StrCat("open round ", effect.round, " on version ", effect.base_version);
  }
  std::string operator()(const Assign& effect) const { return AssignText(effect); }
  std::string operator()(const Fold& effect) const { return absl::StrCat("fold ", effect.assignment); }
  std::string operator()(const PublishInitial& effect) const {
    return absl::StrCat("publish initial weights from ", effect.assignment);
  }
  std::string operator()(const Settle& effect) const {
    return absl::StrCat("settle ", effect.assignment, " as ", Name(effect.state),
                        effect.received ? ", update and all" : "", " (", effect.reason, ")");
  }
  std::string operator()(const CloseRound& effect) const {
    return absl::StrCat("close round ", effect.round, ": version ", effect.base_version, " -> ", effect.new_version,
                        " with ", absl::StrJoin(effect.folded, " "));
  }
  std::string operator()(const FailRound& effect) const {
    return absl::StrCat("fail round ", effect.round, " (", effect.reason, ")");
  }
  std::string operator()(const FinishRun& effect) const {
    return absl::StrCat("finish run as ", Name(effect.state), " (", effect.reason, ")");
  }
  std::string operator()(const Dismiss& effect) const { return absl::StrCat("dismiss ", effect.client); }
};

}  // namespace

std::string EffectText(const Effect& effect) { return std::visit(EffectTexts(), effect); }

}  // namespace thinwire
