#include "tests/simulation/transcript.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/round/names.h"

namespace thinwire {
namespace {

std::string Rest(const std::vector<std::string>& words, size_t first) {
  if (first >= words.size()) return "";
  return absl::StrJoin(words.begin() + static_cast<std::ptrdiff_t>(first), words.end(), " ");
}

bool SetOption(const std::string& name, const std::string& value, RoundOptions* options) {
  const std::map<std::string, uint32_t*> counts = {{"rounds", &options->rounds},
                                                   {"clients", &options->clients},
                                                   {"invited", &options->invited},
                                                   {"min_updates", &options->min_updates},
                                                   {"evaluate_every", &options->evaluate_every},
                                                   {"max_failed_rounds", &options->max_failed_rounds},
                                                   {"max_unevaluated", &options->max_unevaluated}};
  const std::map<std::string, absl::Duration*> times = {{"deadline", &options->deadline},
                                                        {"invite_wait", &options->invite_wait},
                                                        {"final_evaluation_wait", &options->final_evaluation_wait}};
  if (const auto it = counts.find(name); it != counts.end()) return absl::SimpleAtoi(value, it->second);
  if (const auto it = times.find(name); it != times.end()) return absl::ParseDuration(value, it->second);
  if (name == "seed") return absl::SimpleAtoi(value, &options->seed);
  options->ask_client_for_initial = value == "client";
  return name == "initial" && (value == "client" || value == "file");
}

}  // namespace

std::string TranscriptRunner::Run(const std::string& command) {
  const Words words = absl::StrSplit(command, ' ', absl::SkipWhitespace());
  const std::string& verb = words.front();
  if (verb == "run") return NewRun(words);
  if (coordinator_ == nullptr) return "error: no run yet\n";
  if (verb == "kill") return Restart();
  if (verb == "status") return StatusText();
  if (words.size() < 2 && verb != "published") return absl::StrCat("error: ", verb, " of what?\n");
  if (verb == "crash") return Crash(words);
  if (verb == "wait") return Wait(words, Role::kTrainer);
  if (verb == "evaluator") return Wait(words, Role::kEvaluator);
  if (verb == "advance") return Advance(words[1]);
  if (verb == "commit") return Commit(words[1]);
  if (verb == "upload") return Upload(words[1]);
  if (verb == "published") return Published(words);
  if (verb == "evaluated") return Evaluated(words[1]);
  if (const std::optional<Event> event = EventOf(words)) return Apply(*event);
  return absl::StrCat("error: unknown command ", verb, "\n");
}

std::optional<Event> TranscriptRunner::EventOf(const Words& words) const {
  const std::string &verb = words[0], &what = words[1];
  if (verb == "unwait") return ClientStoppedWaiting{what};
  if (verb == "gone") return ClientGone{what, Rest(words, 2)};
  if (verb == "received") return UpdateReceived{what};
  if (verb == "folded") return UpdateFolded{what};
  if (verb == "failed") return AssignmentFailed{what, Rest(words, 2), false};
  if (verb == "client-failed") return AssignmentFailed{what, Rest(words, 2), true};
  if (verb == "publish-failed") return PublishFailed{Rest(words, 1)};
  if (verb == "stop") return StopRequested{Rest(words, 1)};
  RoundAborted aborted{0, Rest(words, 2)};
  if (verb == "aborted" && absl::SimpleAtoi(what, &aborted.round)) return aborted;
  return std::nullopt;
}

std::string TranscriptRunner::NewRun(const Words& words) {
  options_ = RoundOptions();
  options_.deadline = absl::Minutes(1);
  options_.evaluate_every = 0;

  for (size_t i = 1; i < words.size(); ++i) {
    const std::pair<std::string, std::string> option = absl::StrSplit(words[i], absl::MaxSplits('=', 1));
    if (!SetOption(option.first, option.second, &options_)) return absl::StrCat("error: bad option ", words[i], "\n");
  }
  if (!absl::StrContains(Rest(words, 0), "invited=")) options_.invited = options_.clients;
  if (!absl::StrContains(Rest(words, 0), "min_updates=")) options_.min_updates = options_.clients;
  if (const absl::Status valid = options_.Validate(); !valid.ok())
    return absl::StrCat("error: ", valid.message(), "\n");
  journal_ = std::make_unique<ModelJournal>();
  if (!options_.ask_client_for_initial) journal_->Publish(0, {});
  return Restart();
}

std::string TranscriptRunner::Wait(const Words& words, Role role) {
  std::string answer;
  for (size_t i = 1; i < words.size(); ++i) absl::StrAppend(&answer, Apply(ClientWaiting{words[i], role, 1}));
  return answer;
}

std::string TranscriptRunner::Commit(const std::string& id) {
  if (journal_->rows().count(id) == 0) return absl::StrCat("journal: no assignment ", id, "\n");
  const AssignmentState state = journal_->CommitUpdate(id);
  return state == AssignmentState::kReceived ? "" : absl::StrCat("journal: ", id, " is ", Name(state), " already\n");
}

std::string TranscriptRunner::Upload(const std::string& id) {
  const std::string too_late = Commit(id);
  return too_late.empty() ? Apply(UpdateReceived{id}) : too_late;
}

std::string TranscriptRunner::Published(const Words& words) {
  uint64_t version = closing_.has_value() ? closing_->new_version : 0;
  if (words.size() > 1 && !absl::SimpleAtoi(words[1], &version)) return "error: no version\n";
  const bool expected = !journal_->version().has_value() || (closing_.has_value() && closing_->new_version == version);
  if (expected) journal_->Publish(version, closing_.has_value() ? closing_->folded : std::vector<std::string>());
  closing_.reset();
  return Apply(VersionPublished{version});
}

std::string TranscriptRunner::Evaluated(const std::string& id) {
  if (journal_->rows().count(id) > 0) journal_->CommitEvaluation(id);
  return Apply(EvaluationReported{id});
}

std::string TranscriptRunner::Advance(const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) return absl::StrCat("error: bad duration ", text, "\n");
  const Monotonic end = clock_.Now() + duration;
  std::string answer;
  while (coordinator_->NextDeadline() <= end) {
    clock_.Advance(std::max(coordinator_->NextDeadline() - clock_.Now(), absl::ZeroDuration()));
    absl::StrAppend(&answer, Apply(Tick()));
  }
  clock_.Advance(end - clock_.Now());
  if (!effects_until_crash_.has_value()) journal_->SaveTimeLeft(coordinator_->TimeLeft(clock_.Now()));
  return answer;
}

std::string TranscriptRunner::Restart() {
  effects_until_crash_.reset();
  closing_.reset();
  coordinator_ = std::make_unique<RoundCoordinator>(options_, journal_->Restore(), clock_.Now());
  return Answer(coordinator_->Start(clock_.Now()));
}

std::string TranscriptRunner::Crash(const Words& words) {
  size_t count = 0;
  if (words.size() < 3 || !absl::SimpleAtoi(words[1], &count)) return "error: crash N COMMAND\n";
  effects_until_crash_ = count;
  const std::string before = Run(Rest(words, 2));
  return absl::StrCat(before, "-- killed and restarted --\n", Restart());
}

std::string TranscriptRunner::Apply(const Event& event) { return Answer(coordinator_->Apply(event, clock_.Now())); }

std::string TranscriptRunner::Answer(const std::vector<Effect>& effects) {
  std::string answer;
  for (const Effect& effect : effects) {
    if (effects_until_crash_.has_value() && (*effects_until_crash_)-- == 0) {
      effects_until_crash_ = 0;
      return answer;
    }
    journal_->Write(effect, coordinator_->TimeLeft(clock_.Now()));
    if (const auto* close = std::get_if<CloseRound>(&effect)) closing_ = *close;
    absl::StrAppend(&answer, EffectText(effect), "\n");
  }
  if (const absl::Status lawful = coordinator_->CheckInvariants(); !lawful.ok()) {
    absl::StrAppend(&answer, "error: ", lawful.message(), "\n");
  }
  for (const std::string& violation : journal_->violations()) absl::StrAppend(&answer, "error: ", violation, "\n");
  return answer;
}

std::string TranscriptRunner::StateLine() const {
  if (coordinator_ == nullptr) return "";
  const CoordinatorStatus status = coordinator_->Status(clock_.Now());
  return absl::StrCat("=> ", Name(status.state), ": ", status.reason, status.waiting_for, "\n");
}

std::string TranscriptRunner::StatusText() const {
  const CoordinatorStatus status = coordinator_->Status(clock_.Now());
  const RoundCounters& is = status.counters;
  std::string text =
      absl::StrCat("round ", status.round, " is ", Name(status.round_state), "; version ",
                   status.version.has_value() ? absl::StrCat(*status.version) : "none",
                   "; waiting: ", CountText(status.trainers_waiting, "trainer"), ", ",
                   CountText(status.evaluators_waiting, "evaluator"), "\ninvited ", is.invited, " = training ",
                   is.training, " + folding ", is.folding, " + folded ", is.folded, " + failed ", is.failed,
                   " + dropped ", is.dropped, " + discarded ", is.discarded, "\n");
  for (const auto& [reason, count] : status.refusals) absl::StrAppend(&text, "refused: ", reason, " x", count, "\n");
  const std::vector<uint64_t> pinned = coordinator_->PinnedVersions();
  if (!pinned.empty()) absl::StrAppend(&text, "pinned versions: ", absl::StrJoin(pinned, " "), "\n");
  return text;
}

std::string RewriteTranscript(const std::string& text) {
  TranscriptRunner runner;
  std::string out, answer;
  bool in_answer = false;
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (const std::string& line : lines) {
    if (line == "----") {
      absl::StrAppend(&out, "----\n", answer, runner.StateLine());
      answer.clear();
      in_answer = true;
    } else if (line.empty()) {
      in_answer = false;
      out += "\n";
    } else if (!in_answer) {
      absl::StrAppend(&out, line, "\n");
      if (line.front() != '#') absl::StrAppend(&answer, runner.Run(line));
    }
  }
  return out;
}

}  // namespace thinwire
