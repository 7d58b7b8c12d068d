#include "common/rdu/update_encoder.h"

#include <algorithm>
#include <cmath>

#include "common/rdu/tensor_coder.h"

namespace thinwire {

UpdateEncoder::UpdateEncoder(const std::vector<MatrixView>& matrices, const Ranks& max_ranks) {
  tensors_.reserve(matrices.size());
  for (size_t i = 0; i < matrices.size(); ++i) {
    tensors_.emplace_back(matrices[i], max_ranks[i]);
    value_count_ += static_cast<double>(matrices[i].size());
    largest_norm_ = std::max(largest_norm_, std::sqrt(tensors_[i].energy()));
    absmax_ = std::max(absmax_, tensors_[i].absmax());
  }
}

bool UpdateEncoder::zero() const { return absmax_ < 0.5 * StepOf(kFinestStep); }

StepCode UpdateEncoder::finest_step() const {
  const StepCode below = StepCodeOf(largest_norm_ / (1 << 30));
  return std::min<StepCode>(below + 1, kCoarsestStep);
}

StepCode UpdateEncoder::coarsest_step() const { return std::max(StepCodeOf(2 * largest_norm_), finest_step()); }

Ranks UpdateEncoder::ChooseRanks(StepCode step, double* bits) const {
  Ranks ranks;
  *bits = 0;
  for (const TensorStatistics& tensor : tensors_) {
    const RankChoice choice = tensor.ChooseRank(StepOf(step));
    ranks.push_back(choice.rank);
    *bits += choice.cost.bits;
  }
  return ranks;
}

std::string UpdateEncoder::Encode(StepCode step, const Ranks& ranks) const {
  std::string bytes;
  AppendUpdateHeader(kBestVersion, step, &bytes);
  UpdateModel model;
  RangeEncoder coder(&bytes);
  RangeEncoder::Mark needed;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    EncodeTensor(tensors_[i], ranks[i], StepOf(step), &model, &coder, &needed);
  }
  if (coder.Finish(needed) == 0) bytes.clear();
  return bytes;
}

}  // namespace thinwire
