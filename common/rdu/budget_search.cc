#include <algorithm>
#include <optional>

#include "common/rdu/update_encoder.h"

namespace thinwire {
namespace {

// Steps are searched by their codes, which are nearly logarithmic: 256 to the octave. More bytes, lower code.
struct Trial {
  int step;
  Ranks ranks;
  std::string bytes;
};

// What may be left in the end, of the budget or in bytes. A share so small is better left than cut off a finer update:
// a cut takes values whole.
constexpr double kMostShort = 0.005;
constexpr size_t kMostBytesShort = 32;
// The rate model comes out low by this share on real updates of some size where most values are coded, from so many
// bits a value on.
constexpr double kModelShort = 0.11, kModelShortFrom = 0.4;
constexpr size_t kFewBytes = 1024;
// So many trials are believed to lie on a line.
constexpr int kPatience = 3;
// Of the budget, what trials aim at: the middle of what is as wanted. All of it where that is few bytes, since then
// several steps come to as many bytes, and the finest of them is best.
constexpr double kAim = 1 - kMostShort / 2;

// About ln(a / b), without a logarithm; ascending in a.
double LogRatio(double a, double b) { return 2 * (a - b) / (a + b + 1); }

class BudgetSearch {
 public:
  BudgetSearch(const UpdateEncoder& encoder, size_t budget)
      : encoder_(encoder),
        budget_(budget),
        aim_((budget < kFewBytes ? 1 : kAim) * static_cast<double>(budget)),
        finest_(encoder.finest_step()),
        coarsest_(encoder.coarsest_step()) {}

  BudgetResult Run(int max_trials) {
    int step = FirstStep();
    for (bool done = false; !done && trials_ < max_trials;) {
      done = Try(step) || !NextStep(&step);
      // The last trial must not leave the budget unused, whatever the ones before came to.
      if (trials_ == max_trials - 1 && !over_) step = finest_;
    }
    return Take();
  }

 private:
  double Predict(int step) const {
    double bits;
    encoder_.ChooseRanks(static_cast<StepCode>(step), &bits);
    return bits / 8 + kUpdateHeaderSize;
  }

  // The finest step whose predicted bytes, times `correction`, are within the budget.
  int StepPredicted(double correction) const {
    int low = finest_, high = coarsest_;
    while (low < high) {
      const int middle = (low + high) / 2;
      const bool fits = correction * Predict(middle) <= aim_;
      fits ? high = middle : low = middle + 1;
    }
    return low;
  }

  int FirstStep() const {
    if (budget_ < kFewBytes) return StepPredicted(1);
    const double bits = 8 * static_cast<double>(budget_) / encoder_.value_count();
    return StepPredicted(1 + kModelShort * std::min(1.0, bits / kModelShortFrom));
  }

  // Codes the update. True if it is as wanted: below the budget, and close.
  bool Try(int step) {
    Trial trial{step, RanksAt(step), {}};
    trial.bytes = encoder_.Encode(static_cast<StepCode>(step), trial.ranks);
    const size_t size = trial.bytes.size();
    ++trials_;
    before_ = last_;
    last_ = {step, static_cast<double>(size)};
    (size >= budget_ ? over_ : under_) = std::move(trial);
    return size == budget_ || Close(size);
  }

  // Whether so many bytes leave no more than a small share of the budget.
  bool Close(size_t size) const {
    return size <= budget_ && static_cast<double>(budget_ - size) <= kMostShort * static_cast<double>(budget_);
  }

  // Close to what was tried, the ranks stay, so that bytes run smoothly with the step.
  Ranks RanksAt(int step) const {
    if (over_ && step - over_->step < kSameRanks) return over_->ranks;
    if (under_ && under_->step - step < kSameRanks) return under_->ranks;
    double bits;
    return encoder_.ChooseRanks(static_cast<StepCode>(step), &bits);
  }

  // False if there is no step left that could do better.
  bool NextStep(int* step) const {
    const int low = over_ ? over_->step + 1 : finest_, high = under_ ? under_->step - 1 : coarsest_;
    if (low > high) return false;
    *step = std::clamp(over_ && under_ ? Between() : before_.step == 0 ? FromModel() : Beyond(), low, high);
    return true;
  }

  // Bytes between two trials run about like a power of the step.
  int Between() const {
    const double above = LogRatio(static_cast<double>(over_->bytes.size()), aim_);
    const double below = LogRatio(aim_, static_cast<double>(under_->bytes.size()));
    const double share = std::clamp(above / std::max(above + below, 1e-9), 0.0, 1.0);
    return over_->step + static_cast<int>(share * (under_->step - over_->step));
  }

  // The rate model, corrected by what the first trial came to.
  int FromModel() const { return StepPredicted((last_.size + 1) / (Predict(last_.step) + 1)); }

  // Along the line through the last two trials; when that was tried, each time further, so as to come to the other side
  // soon.
  int Beyond() const {
    const double slope = LogRatio(before_.size, last_.size) / (last_.step - before_.step);
    const double distance = LogRatio(last_.size, aim_) / std::max(slope, kLeastSlope);
    if (trials_ <= kPatience && budget_ >= kFewBytes)
      return last_.step + static_cast<int>(distance + (distance > 0 ? 0.5 : -0.5));
    const double further = static_cast<double>(1 << std::min(trials_, 10)) / 4;
    return last_.step + static_cast<int>((1.1 * distance + (distance > 0 ? 2 : -2)) * further);
  }

  // Whether what is below the budget is near enough to it: very, or some bytes and nearer than what would be cut.
  bool Suffices(size_t size) const {
    const size_t left = budget_ - size;
    return Close(size) || (left <= kMostBytesShort && left <= over_->bytes.size() - budget_);
  }

  BudgetResult Take() {
    BudgetResult result;
    result.trials = trials_;
    Trial& best = over_ && !(under_ && Suffices(under_->bytes.size())) ? *over_ : *under_;
    result.finest = !over_ && best.step == finest_;
    result.step = static_cast<StepCode>(best.step);
    result.ranks = std::move(best.ranks);
    result.bytes = std::move(best.bytes);
    if (result.bytes.size() > budget_) result.bytes.resize(budget_);
    return result;
  }

  static constexpr int kSameRanks = 32;
  // Of the logarithm of the size, a step: a third of a bit to the octave.
  static constexpr double kLeastSlope = 0.001;

  const UpdateEncoder& encoder_;
  const size_t budget_;
  const double aim_;
  const int finest_, coarsest_;
  std::optional<Trial> over_, under_;  // the nearest on either side
  int trials_ = 0;
  struct {
    int step = 0;
    double size = 0;
  } last_, before_;
};

}  // namespace

BudgetResult EncodeToBudget(const UpdateEncoder& encoder, size_t budget, int max_trials) {
  return BudgetSearch(encoder, budget).Run(max_trials);
}

}  // namespace thinwire
