#include "common/codec/subspace_plan.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status BadPart(absl::string_view part) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", part,
                   "' is no part of a subspace plan; d=NUMBER, k=NUMBER, epoch=ROUNDS, block=VALUES and "
                   "normal are, separated by commas"));
}

absl::Status TakePart(absl::string_view part, SubspacePlan* plan) {
  if (part == "normal") {
    plan->normal_diagonal = true;
    return absl::OkStatus();
  }
  const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(part, absl::MaxSplits('=', 1));
  const bool good = field.first == "d"       ? absl::SimpleAtoi(field.second, &plan->dimension)
                    : field.first == "k"     ? absl::SimpleAtoi(field.second, &plan->vectors)
                    : field.first == "epoch" ? absl::SimpleAtoi(field.second, &plan->epoch_rounds)
                    : field.first == "block" ? absl::SimpleAtoi(field.second, &plan->block_size)
                                             : false;
  return good ? absl::OkStatus() : BadPart(part);
}

}  // namespace

absl::Status SubspacePlan::Validate() const {
  if (dimension < 1 || dimension > kMaxDimension) {
    return absl::InvalidArgumentError(
        absl::StrCat("subspace.dimension is ", dimension, ", must be 1 to ", kMaxDimension));
  }
  if (vectors < 1 || vectors > kMaxVectors) {
    return absl::InvalidArgumentError(absl::StrCat("subspace.vectors is ", vectors, ", must be 1 to ", kMaxVectors));
  }
  if (block_size != 0 && (block_size & (block_size - 1)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("subspace.block_size is ", block_size,
                                                   ", must be a power of two, or 0 for one block over the model"));
  }
  return absl::OkStatus();
}

std::string SubspacePlan::Name() const {
  std::string name =
      vectors == 1 ? absl::StrCat(dimension, " coordinates") : absl::StrCat(vectors, " x ", dimension, " coordinates");
  if (epoch_rounds > 0) absl::StrAppend(&name, ", new ones every ", epoch_rounds, " versions");
  if (block_size > 0) absl::StrAppend(&name, ", in blocks of ", block_size, " values");
  if (normal_diagonal) absl::StrAppend(&name, ", normal diagonal");
  return name;
}

absl::StatusOr<SubspacePlan> SubspacePlan::Parse(absl::string_view text) {
  SubspacePlan plan;
  for (const absl::string_view part : absl::StrSplit(text, ',')) TW_RETURN_IF_ERROR(TakePart(part, &plan));
  TW_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

}  // namespace thinwire
