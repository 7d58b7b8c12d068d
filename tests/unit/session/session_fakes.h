// Fakes of everything else that a session uses.
#ifndef THINWIRE_TESTS_UNIT_SESSION_SESSION_FAKES_H_
#define THINWIRE_TESTS_UNIT_SESSION_SESSION_FAKES_H_

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/session/session_observer.h"
#include "client/session/sleeper.h"
#include "client/session/trainer.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace thinwire {

// Moves a fake clock instead of waiting.
class FakeSleeper : public Sleeper {
 public:
  explicit FakeSleeper(FakeClock* clock) : clock_(clock) {}
  bool Sleep(absl::Duration duration) override {
    if (interrupted_) return false;
    delays.push_back(duration);
    clock_->Advance(duration);
    if (on_sleep) on_sleep();
    return !interrupted_;
  }
  void Interrupt() override { interrupted_ = true; }
  void Reset() { interrupted_ = false; }

  std::vector<absl::Duration> delays;
  std::function<void()> on_sleep;

 private:
  FakeClock* const clock_;
  std::atomic<bool> interrupted_{false};
};

// Sleeps until the test lets it go on, whatever the duration.
class GateSleeper : public Sleeper {
 public:
  bool Sleep(absl::Duration) override {
    MutexLock lock(mutex_);
    while (permits_ == 0 && !interrupted_) wake_.Wait(mutex_);
    if (interrupted_) return false;
    --permits_;
    return true;
  }
  void Interrupt() override {
    MutexLock lock(mutex_);
    interrupted_ = true;
    wake_.NotifyAll();
  }
  void Reset() {
    MutexLock lock(mutex_);
    interrupted_ = false;
  }
  void Permit(int count) {
    MutexLock lock(mutex_);
    permits_ += count;
    wake_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar wake_;
  int permits_ TW_GUARDED_BY(mutex_) = 0;
  bool interrupted_ TW_GUARDED_BY(mutex_) = false;
};

class RecordingObserver : public SessionObserver {
 public:
  void OnState(SessionState state, const std::string& detail) override {
    MutexLock lock(mutex_);
    states.push_back(SessionStateName(state));
    lines.push_back(absl::StrCat(SessionStateName(state), " ", detail));
  }
  void OnTrouble(const absl::Status& error, const std::string& next) override {
    MutexLock lock(mutex_);
    troubles.push_back(absl::StrCat(error.ToString(), " -> ", next));
  }
  void OnReceipt(const std::string& assignment, const std::string& state) override {
    MutexLock lock(mutex_);
    receipts.push_back(absl::StrCat(assignment, " ", state));
  }
  void OnProgress(const std::string& line) override {
    MutexLock lock(mutex_);
    progress.push_back(line);
  }

  std::vector<std::string> states, lines, troubles, receipts, progress;

 private:
  Mutex mutex_;
};

// Gives a trainer of whole models the other seam.
class StreamingAdapter : public StreamingTrainer {
 public:
  StreamingAdapter(Trainer* trainer, const ModelSpec* spec) : trainer_(trainer), spec_(spec) {}
  absl::StatusOr<TrainResult> Train(const TrainRequest& request, BlockSource& start) override {
    const absl::Status read = Read(start);
    if (!read.ok()) return read;
    return trainer_->Train(request, &state_);
  }
  BlockSource& trained() override { return *source_; }
  BlockSource& Fresh(uint64_t seed) override {
    fresh_seeds.push_back(seed);
    state_ = trainer_->Initialize(seed).value();
    source_.emplace(state_);
    return *source_;
  }
  absl::StatusOr<EvaluateResult> Evaluate(BlockSource& model, const HeldWeights&) override {
    const absl::Status read = Read(model);
    if (!read.ok()) return read;
    return trainer_->Evaluate(state_);
  }

  std::vector<uint64_t> fresh_seeds;

 private:
  absl::Status Read(BlockSource& source) {
    state_ = ModelState(*spec_);
    source_.emplace(state_);
    return ReadModel(source, &state_);
  }

  Trainer* const trainer_;
  const ModelSpec* const spec_;
  ModelState state_;
  std::optional<ModelStateSource> source_;
};

// Adds `step` to every trainable value and 1 to every buffer.
class FakeTrainer : public Trainer {
 public:
  const ModelSpec& model() const override { return own_model; }
  uint64_t examples() const override { return 40; }

  absl::StatusOr<ModelState> Initialize(uint64_t seed) override {
    if (!error.ok()) return error;
    ModelState state(initial_model);
    for (auto& tensor : state.floats) std::fill(tensor.begin(), tensor.end(), static_cast<float>(seed));
    return state;
  }

  absl::StatusOr<TrainResult> Train(const TrainRequest& request, ModelState* state) override {
    requests.push_back(request);
    if (on_train) on_train(request);
    if (request.cancelled && request.cancelled()) return absl::CancelledError("stopped");
    if (!error.ok()) return error;
    started_from.push_back(*state);
    for (size_t t = 0; t < state->floats.size(); ++t) {
      const TensorRole role = state->spec.tensors()[t].role;
      if (role == TensorRole::kFrozen) continue;
      for (size_t i = 0; i < state->floats[t].size(); ++i) {
        state->floats[t][i] += role != TensorRole::kTrainable ? 1.0f : step_of ? step_of(i) : step;
      }
      for (int64_t& value : state->ints[t]) ++value;
    }
    return TrainResult{40, 0.25};
  }

  absl::StatusOr<EvaluateResult> Evaluate(const ModelState& state) override {
    if (!error.ok()) return error;
    started_from.push_back(state);
    return EvaluateResult{100, 0.5, 0.75};
  }
  StreamingTrainer* streaming() override { return adapter ? &*adapter : nullptr; }

  // From here on models come and go block by block; `spec` must outlive the trainer.
  void Stream(const ModelSpec* spec) { adapter.emplace(this, spec); }

  ModelSpec own_model, initial_model;
  float step = 0.5f;
  std::function<float(size_t index)> step_of;  // if set, instead of `step`
  absl::Status error;
  std::function<void(const TrainRequest&)> on_train;
  std::vector<TrainRequest> requests;
  std::vector<ModelState> started_from;
  std::optional<StreamingAdapter> adapter;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SESSION_SESSION_FAKES_H_
