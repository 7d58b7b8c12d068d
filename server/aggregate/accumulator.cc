#include "server/aggregate/accumulator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "server/aggregate/sum_loops.h"

namespace thinwire {
namespace {

static_assert(kMaxValueBits < kMaxRoundedBits);

constexpr uint64_t kSignBit = uint64_t{1} << 63;
// Integers as they lie in the accumulator: 0 is the smallest, and the order of unsigned numbers is theirs.
uint64_t ToOrdered(int64_t value) { return static_cast<uint64_t>(value) ^ kSignBit; }
int64_t FromOrdered(uint64_t ordered) { return static_cast<int64_t>(ordered ^ kSignBit); }

// Calls visit(first, begin, size) for the parts of [first, first + size) that lie in one block each.
template <typename Visit>
void ForEachBlock(uint64_t first, size_t size, const Visit& visit) {
  for (size_t done = 0; done < size;) {
    const uint64_t block_left = kBlockValues - (first + done) % kBlockValues;
    const size_t part = static_cast<size_t>(std::min<uint64_t>(block_left, size - done));
    visit(first + done, done, part);
    done += part;
  }
}

}  // namespace

Accumulator::Accumulator(const ModelSpec& spec, const FixedPoint& fixed_point)
    : spec_(spec), fixed_point_(fixed_point) {
  for (const TensorSpec& tensor : spec_.tensors()) {
    offsets_.push_back(size_);
    if (tensor.role != TensorRole::kFrozen) size_ += tensor.count();
  }
}

absl::StatusOr<std::unique_ptr<Accumulator>> Accumulator::Create(const ModelSpec& spec, const FixedPoint& fixed_point) {
  const size_t tensors = spec.tensors().size();
  if (fixed_point.quantum_exponent.size() != tensors || fixed_point.bound_exponent.size() != tensors) {
    return absl::InvalidArgumentError(absl::StrCat("fixed-point rules for ", fixed_point.quantum_exponent.size(),
                                                   " tensors, the model has ", tensors));
  }
  std::unique_ptr<Accumulator> accumulator(new Accumulator(spec, fixed_point));
  accumulator->values_ = ZeroedMemory(accumulator->size_ * sizeof(int64_t));
  if (!accumulator->values_.ok()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for the sums of a round: ", accumulator->size_ * sizeof(int64_t), " bytes"));
  }
  return accumulator;
}

Mutex& Accumulator::LockOf(uint32_t tensor, uint64_t first) const {
  return locks_[(offsets_[tensor] / kBlockValues + tensor + first / kBlockValues) % kLocks];
}

absl::Status Accumulator::CheckFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values) const {
  return CheckBounds(fixed_point_, tensor, spec_.tensors()[tensor].name, first, values);
}

void Accumulator::AddFloats(uint32_t tensor, uint64_t first, absl::Span<const float> values, uint64_t weight) {
  const double scale = std::ldexp(1.0, -fixed_point_.quantum_exponent[tensor]);
  const auto signed_weight = static_cast<int64_t>(weight);
  ForEachBlock(first, values.size(), [&](uint64_t block_first, size_t begin, size_t size) {
    MutexLock lock(LockOf(tensor, block_first));
    // Neither product nor sum can overflow: see ChooseFixedPoint. value * scale is exact.
    AddRounded(values.subspan(begin, size), scale, signed_weight, At(tensor, block_first));
  });
}

void Accumulator::AddEntries(uint32_t tensor, absl::Span<const uint64_t> indices, absl::Span<const float> values,
                             uint64_t weight) {
  const double scale = std::ldexp(1.0, -fixed_point_.quantum_exponent[tensor]);
  const auto signed_weight = static_cast<int64_t>(weight);
  for (size_t i = 0; i < indices.size();) {
    const uint64_t block = indices[i] / kBlockValues;
    MutexLock lock(LockOf(tensor, block * kBlockValues));
    for (; i < indices.size() && indices[i] / kBlockValues == block; ++i) {
      AddRounded(values.subspan(i, 1), scale, signed_weight, At(tensor, indices[i]));
    }
  }
}

void Accumulator::MaxInts(uint32_t tensor, uint64_t first, absl::Span<const int64_t> values) {
  ForEachBlock(first, values.size(), [&](uint64_t block_first, size_t begin, size_t size) {
    MutexLock lock(LockOf(tensor, block_first));
    int64_t* kept = At(tensor, block_first);
    for (size_t i = 0; i < size; ++i) {
      kept[i] = static_cast<int64_t>(std::max(static_cast<uint64_t>(kept[i]), ToOrdered(values[begin + i])));
    }
  });
}

absl::Status Accumulator::Admit(uint64_t weight) {
  MutexLock lock(counts_);
  TW_RETURN_IF_ERROR(CheckAdmission(fixed_point_, weight, admitted_));
  ++admitted_;
  return absl::OkStatus();
}

void Accumulator::CountUpdate(uint64_t weight) {
  MutexLock lock(counts_);
  ++updates_;
  total_weight_ += weight;
}

void Accumulator::Spoil() {
  MutexLock lock(counts_);
  spoiled_ = true;
}

absl::Status Accumulator::CheckReadable() const {
  MutexLock lock(counts_);
  if (spoiled_) {
    return absl::FailedPreconditionError("an update could not be added to its end; fold the round's updates again");
  }
  if (updates_ == 0) return absl::FailedPreconditionError("no update has been added, there is no mean");
  return absl::OkStatus();
}

absl::Status Accumulator::MergeWith(const Accumulator& other) {
  const bool same_rules = spec_ == other.spec_ && fixed_point_.quantum_exponent == other.fixed_point_.quantum_exponent;
  if (!same_rules || this == &other) {
    return absl::InvalidArgumentError("partial sums merge only with those of the same model and fixed-point rules");
  }
  if (other.updates() == 0) return absl::OkStatus();
  TW_RETURN_IF_ERROR(other.CheckReadable());
  const uint64_t weight = other.total_weight();
  {
    MutexLock lock(counts_);
    const uint64_t admitted = uint64_t{admitted_} + other.updates();
    if (admitted > fixed_point_.max_updates || other.fixed_point_.max_weight > fixed_point_.max_weight) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the merged sums would hold ", admitted, " updates of weight up to ", other.fixed_point_.max_weight,
          ", the rules allow ", fixed_point_.max_updates, " of ", fixed_point_.max_weight));
    }
    admitted_ = static_cast<uint32_t>(admitted);
    updates_ += other.updates();
    total_weight_ += weight;
  }
  for (uint32_t tensor = 0; tensor < spec_.tensors().size(); ++tensor) {
    if (spec_.tensors()[tensor].role != TensorRole::kFrozen) MergeTensor(tensor, other);
  }
  return absl::OkStatus();
}

void Accumulator::MergeTensor(uint32_t tensor, const Accumulator& other) {
  const bool integers = spec_.tensors()[tensor].dtype == DataType::kInt64;
  ForEachBlock(0, spec_.tensors()[tensor].count(), [&](uint64_t first, size_t, size_t size) {
    MutexLock lock(LockOf(tensor, first));
    int64_t* mine = At(tensor, first);
    const int64_t* theirs = other.At(tensor, first);
    for (size_t i = 0; i < size; ++i) {
      mine[i] = integers ? static_cast<int64_t>(
                               std::max<uint64_t>(static_cast<uint64_t>(mine[i]), static_cast<uint64_t>(theirs[i])))
                         : mine[i] + theirs[i];
    }
  });
}

uint64_t Accumulator::total_weight() const {
  MutexLock lock(counts_);
  return total_weight_;
}

uint32_t Accumulator::updates() const {
  MutexLock lock(counts_);
  return updates_;
}

absl::Status Accumulator::MeanFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) const {
  TW_RETURN_IF_ERROR(CheckReadable());
  const double quantum = std::ldexp(1.0, fixed_point_.quantum_exponent[tensor]);
  const double weight = static_cast<double>(total_weight());
  ForEachBlock(first, out.size(), [&](uint64_t block_first, size_t begin, size_t size) {
    MutexLock lock(LockOf(tensor, block_first));
    ScaleSums(At(tensor, block_first), weight, quantum, out.subspan(begin, size));
  });
  return absl::OkStatus();
}

absl::Status Accumulator::MaxedInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) const {
  TW_RETURN_IF_ERROR(CheckReadable());
  ForEachBlock(first, out.size(), [&](uint64_t block_first, size_t begin, size_t size) {
    MutexLock lock(LockOf(tensor, block_first));
    const int64_t* kept = At(tensor, block_first);
    for (size_t i = 0; i < size; ++i) out[begin + i] = FromOrdered(static_cast<uint64_t>(kept[i]));
  });
  return absl::OkStatus();
}

}  // namespace thinwire
