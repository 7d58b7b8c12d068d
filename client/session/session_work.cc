// The part of ClientSession that does an assignment.
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/session/client_session.h"
#include "client/session/update_encoder.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"

namespace thinwire {
namespace {

constexpr size_t kMaxReason = 1000;
// How often a server may give a finished assignment before it is done again.
constexpr int kTakingNote = 3;

std::string Describe(const Assignment& assignment) {
  std::string text = absl::StrCat("round ", assignment.round, ", version ", assignment.version);
  if (assignment.time_left > absl::ZeroDuration() && assignment.time_left < absl::InfiniteDuration()) {
    absl::StrAppend(&text, ", ", absl::FormatDuration(absl::Trunc(assignment.time_left, absl::Seconds(1))), " left");
  }
  return text;
}

uint64_t SizeOfDownload(const Assignment& assignment) {
  return assignment.changes ? assignment.changes->payload.total_size : assignment.model.total_size;
}

}  // namespace

void ClientSession::Work(const Assignment& assignment) {
  awaiting_ = false;
  if (assignment.id != last_assignment_) {
    last_assignment_ = assignment.id;
    steps_.NoteNewWork();
    steps_.NoteProgress();
  }
  if (assignment.id == finished_ && ++given_again_ <= kTakingNote) {
    // A server that has not taken note yet: working on it twice would only be discarded. One that goes on giving it has
    // lost what it was told, with the end of its journal.
    parts_.observer->OnTrouble(absl::AlreadyExistsError(absl::StrCat("assignment ", assignment.id, " is finished")),
                               "waiting for another one");
    if (!steps_.WaitWithin(run_.retry)) EndBy(StepOutcome::kStopped);
    return;
  }
  absl::Status model = ChooseModel(assignment);
  if (model.ok() && in_subspace()) model = CheckSubspace();
  if (!model.ok()) return End(SessionEnd::kRefused, model.ToString());
  switch (assignment.kind) {
    case AssignmentKind::kInitialize:
      return Initialize(assignment);
    case AssignmentKind::kTrain:
      Train(assignment);
      break;
    case AssignmentKind::kEvaluate:
      Evaluate(assignment);
      break;
  }
  const uint64_t worked = summary_.delivered + summary_.failed;
  if (!ended_ && options_.max_rounds > 0 && worked >= options_.max_rounds) {
    End(SessionEnd::kRoundsDone, absl::StrCat(worked, " of at most ", options_.max_rounds, " rounds done"));
  }
}

absl::Status ClientSession::ChooseModel(const Assignment& assignment) {
  const ModelSpec& own = parts_.trainer->model();
  if (assignment.spec) spec_ = assignment.spec;
  if (assignment.kind == AssignmentKind::kInitialize) return absl::OkStatus();
  if (!spec_) spec_ = own;
  if (spec_->tensors().empty()) {
    return absl::FailedPreconditionError(
        "neither the run nor this client knows a model; start the run from a safetensors file or name a model here");
  }
  if (own.tensors().empty() || own == *spec_) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the run's model ", spec_->id().Hex().substr(0, 12), " has ",
                                                    spec_->tensors().size(), " tensors, this client's model ",
                                                    own.id().Hex().substr(0, 12), " has ", own.tensors().size(),
                                                    " or others; start the client with the run's model"));
}

bool ClientSession::Fetch(const Assignment& assignment) {
  if (in_subspace()) return FetchCoordinates(assignment);
  const auto form = parts_.trainer->streaming() != nullptr ? ModelFetcher::Form::kSource : ModelFetcher::Form::kState;
  return FetchWith(assignment, [&](const PayloadDownloader::ProgressFn& progress) {
    const absl::Status fetched = model_.Fetch(assignment, *spec_, run_.plan.downlink, form, progress);
    if (!model_.changes_fault().ok()) parts_.observer->OnTrouble(model_.changes_fault(), "downloading the model whole");
    return fetched;
  });
}

bool ClientSession::FetchWith(const Assignment& assignment,
                              const std::function<absl::Status(const PayloadDownloader::ProgressFn&)>& fetch) {
  progress_.Begin(SessionState::kDownloading,
                  absl::StrCat(Describe(assignment), ", ", DescribeBytes(SizeOfDownload(assignment))));
  const auto progress = [this](uint64_t start, uint64_t done, uint64_t total) {
    steps_.NoteProgress();
    progress_.Transfer(start, done, total);
  };
  const StepOutcome outcome = steps_.Run(SessionStep::kDownload, [&] { return fetch(progress); });
  if (outcome != StepOutcome::kDone) Abandon(assignment, outcome);
  return outcome == StepOutcome::kDone;
}

void ClientSession::Train(const Assignment& assignment) {
  if (const std::optional<PendingUpdate> kept = pending_.Load(assignment)) return Deliver(assignment, *kept);
  if (run_.plan.error_decay > 0) {
    const StepOutcome settled = SettleError(assignment);
    if (settled != StepOutcome::kDone) return Abandon(assignment, settled);
  }
  if (!Fetch(assignment)) return;
  progress_.Begin(SessionState::kTraining, Describe(assignment));
  const Monotonic start = parts_.clock->Now();
  const absl::StatusOr<TrainResult> result = RunTrainer(assignment);
  if (steps_.stopping()) return EndBy(StepOutcome::kStopped);
  if (!result.ok()) return Fail(assignment, result.status());
  progress_.Begin(SessionState::kEncoding, absl::StrCat("loss ", result->loss));
  const absl::StatusOr<PendingUpdate> update = EncodeTrained(assignment, *result, parts_.clock->Now() - start);
  if (!update.ok()) return Fail(assignment, update.status());
  Deliver(assignment, *update);
}

absl::StatusOr<TrainResult> ClientSession::RunTrainer(const Assignment& assignment) {
  TrainRequest request;
  request.options = assignment.training;
  request.round = assignment.round;
  request.seed = assignment.seed;
  request.progress = [this](const std::string& line) { progress_.Update(line); };
  request.cancelled = [this] { return steps_.stopping(); };
  if (in_subspace()) return TrainCoordinates(request, assignment);
  request.held = model_.held();
  StreamingTrainer* const streaming = parts_.trainer->streaming();
  return streaming != nullptr ? streaming->Train(request, model_.source())
                              : parts_.trainer->Train(request, &model_.state());
}

absl::StatusOr<PendingUpdate> ClientSession::EncodeTrained(const Assignment& assignment, const TrainResult& result,
                                                           absl::Duration train_time) {
  PendingUpdate update;
  update.assignment_id = assignment.id;
  update.path = pending_.PayloadPath(assignment);
  update.examples = result.examples;
  update.train_loss = result.loss;
  update.train_time = train_time;
  const Monotonic start = parts_.clock->Now();
  if (in_subspace()) {
    TW_ASSIGN_OR_RETURN(update.payload, EncodeCoordinates(assignment, update.path, &update.coding));
  } else {
    StreamingTrainer* const streaming = parts_.trainer->streaming();
    ModelStateSource state(model_.state());
    BlockSource& trained = streaming != nullptr ? streaming->trained() : state;
    TW_ASSIGN_OR_RETURN(update.payload,
                        SendsReducedUpdates(run_.plan)
                            ? EncodeReduced(assignment, trained, update.path, &update.coding)
                            : EncodeUpdate(run_.plan, *spec_, trained, model_.base(), assignment.seed, update.path));
  }
  update.coding.time = parts_.clock->Now() - start;
  TW_RETURN_IF_ERROR(pending_.Save(assignment, update));
  return update;
}

absl::StatusOr<PayloadRef> ClientSession::EncodeFresh(uint64_t seed, const std::string& path) {
  if (StreamingTrainer* const streaming = parts_.trainer->streaming(); streaming != nullptr) {
    return EncodeInitialModel(parts_.trainer->model(), streaming->Fresh(seed), path);
  }
  TW_ASSIGN_OR_RETURN(const ModelState fresh, parts_.trainer->Initialize(seed));
  ModelStateSource source(fresh);
  return EncodeInitialModel(fresh.spec, source, path);
}

void ClientSession::Initialize(const Assignment& assignment) {
  if (const std::optional<PendingUpdate> kept = pending_.Load(assignment)) return Deliver(assignment, *kept);
  progress_.Begin(SessionState::kInitializing, absl::StrCat("seed ", assignment.seed));
  PendingUpdate update;
  update.assignment_id = assignment.id;
  update.path = pending_.PayloadPath(assignment);
  update.examples = 1;
  const absl::StatusOr<PayloadRef> encoded = EncodeFresh(assignment.seed, update.path);
  if (steps_.stopping()) return EndBy(StepOutcome::kStopped);
  if (!encoded.ok()) return Fail(assignment, encoded.status());
  update.payload = *encoded;
  const absl::Status saved = pending_.Save(assignment, update);
  if (!saved.ok()) return Fail(assignment, saved);
  Deliver(assignment, update);
}

void ClientSession::Deliver(const Assignment& assignment, const PendingUpdate& update) {
  progress_.Begin(SessionState::kUploading,
                  absl::StrCat(Describe(assignment), ", ", DescribeBytes(update.payload.total_size)));
  UpdateStatus verdict;
  uint64_t acknowledged = 0;
  const auto progress = [&](uint64_t start, uint64_t done, uint64_t total) {
    if (start > acknowledged) steps_.NoteProgress();
    acknowledged = start;
    progress_.Transfer(start, done, total);
  };
  const StepOutcome outcome = steps_.Run(SessionStep::kUpload, [&] {
    TW_ASSIGN_OR_RETURN(verdict, uploader_.Send(update, progress));
    parts_.observer->OnReceipt(assignment.id, UpdateStateName(verdict.state));
    return absl::OkStatus();
  });
  if (outcome == StepOutcome::kStopped || outcome == StepOutcome::kGaveUp) return EndBy(outcome);
  // Whatever became of it, it is not to be sent again.
  const absl::Status cleared = pending_.Clear();
  if (!cleared.ok()) parts_.observer->OnTrouble(cleared, "going on");
  if (outcome == StepOutcome::kNewWork) return Finish(assignment, /*delivered=*/false);
  if (outcome != StepOutcome::kDone) return Abandon(assignment, outcome);
  NoteVerdict(verdict);
  Finish(assignment, verdict.state != UpdateState::kFailed);
}

void ClientSession::NoteVerdict(const UpdateStatus& verdict) {
  if (verdict.state == UpdateState::kDiscarded) {
    parts_.observer->OnTrouble(
        absl::AbortedError(absl::StrCat("the server has discarded the update: ", verdict.reason)),
        "going on with the next round");
  } else if (verdict.state == UpdateState::kFailed) {
    parts_.observer->OnTrouble(
        absl::InvalidArgumentError(absl::StrCat("the server has refused the update: ", verdict.reason)),
        "going on with the next round");
  } else {
    progress_.Update("the server has the update");
  }
}

void ClientSession::Evaluate(const Assignment& assignment) {
  if (!Fetch(assignment)) return;
  progress_.Begin(SessionState::kEvaluating, Describe(assignment));
  StreamingTrainer* const streaming = parts_.trainer->streaming();
  const absl::StatusOr<EvaluateResult> result = in_subspace() ? EvaluateExpanded()
                                                : streaming != nullptr
                                                    ? streaming->Evaluate(model_.source(), model_.held())
                                                    : parts_.trainer->Evaluate(model_.state());
  if (steps_.stopping()) return EndBy(StepOutcome::kStopped);
  if (!result.ok()) return Fail(assignment, result.status());
  progress_.Begin(SessionState::kReporting, absl::StrCat("version ", assignment.version, ", loss ", result->loss,
                                                         ", accuracy ", result->accuracy));
  const StepOutcome outcome =
      steps_.Run(SessionStep::kReport, [&] { return parts_.api->ReportEvaluation(assignment.id, *result); });
  if (outcome == StepOutcome::kNewWork) return Finish(assignment, /*delivered=*/false);
  if (outcome != StepOutcome::kDone) return Abandon(assignment, outcome);
  Finish(assignment, /*delivered=*/true);
}

void ClientSession::Finish(const Assignment& assignment, bool delivered) {
  steps_.NoteProgress();
  finished_ = assignment.id;
  given_again_ = 0;
  if (assignment.kind == AssignmentKind::kInitialize) return;
  ++(delivered ? summary_.delivered : summary_.failed);
}

void ClientSession::Fail(const Assignment& assignment, const absl::Status& why) {
  parts_.observer->OnTrouble(why, absl::StrCat("giving up assignment ", assignment.id));
  progress_.Begin(SessionState::kReporting, "failure");
  const StepOutcome outcome = steps_.Run(SessionStep::kReport, [&] {
    return parts_.api->ReportFailure(assignment.id, why.ToString().substr(0, kMaxReason));
  });
  if (outcome == StepOutcome::kNewWork || outcome == StepOutcome::kGiveUpWork) {
    parts_.observer->OnTrouble(steps_.last_error(), "the failure stays unreported");
  }
  Finish(assignment, /*delivered=*/false);
  EndBy(outcome);
}

void ClientSession::Abandon(const Assignment& assignment, StepOutcome outcome) {
  if (outcome == StepOutcome::kGiveUpWork) return Fail(assignment, steps_.last_error());
  EndBy(outcome);
}

}  // namespace thinwire
