#include "client/session/coded_update.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"
#include "common/update/buffer_differences.h"
#include "common/update/update_coder.h"
#include "common/update/upload_budget.h"

namespace thinwire {
namespace {

absl::StatusOr<std::vector<float>> AllOf(UpdateVector* update) {
  std::vector<float> all(update->size());
  TW_RETURN_IF_ERROR(update->ForEachBlock([&all](uint64_t first, absl::Span<float> values) {
    std::copy(values.begin(), values.end(), all.begin() + static_cast<ptrdiff_t>(first));
    return absl::OkStatus();
  }));
  return all;
}

// Sums over an update u and what is decoded of it.
struct ErrorSums {
  double exponent = 0;  // M
  double error = 0, all = 0, weighted_error = 0, weighted_all = 0;

  void Add(double u, double v) {
    const double squared = (u - v) * (u - v);
    error += squared;
    all += u * u;
    if (exponent == 0) return;
    const double weight = std::pow(std::fabs(u), exponent);
    weighted_error += weight * squared;
    weighted_all += weight * u * u;
  }
  CodingReport Report() const {
    CodingReport report;
    report.distortion = all > 0 ? error / all : 0;
    if (exponent > 0) report.weighted_distortion = weighted_all > 0 ? weighted_error / weighted_all : 0;
    return report;
  }
};

// Takes from `values` what the server will decode.
absl::StatusOr<CodingReport> SubtractSent(const UpdatePlan& plan, const std::string& bytes, const UpdateLayout& layout,
                                          std::vector<float>* values) {
  ErrorSums sums;
  sums.exponent = plan.weight_exponent.first;
  TW_RETURN_IF_ERROR(
      DecodeUpdateString(plan.codec(), bytes, layout, [&](const UpdateLayout::Tensor& tensor, absl::Span<float> sent) {
        for (uint64_t i = 0; i < tensor.count; ++i) {
          float& value = (*values)[tensor.first + i];
          sums.Add(value, sent[i]);
          value -= sent[i];
        }
        return absl::OkStatus();
      }));
  return sums.Report();
}

}  // namespace

absl::StatusOr<CodedUpdate> EncodeCodedUpdate(const ExchangePlan& plan, const ModelSpec& model, UpdateVector* update,
                                              const CodedUpdateRequest& request, const std::string& path) {
  TW_RETURN_IF_ERROR(CheckBudget(plan, model, request.most_bits));
  const ModelSpec spec = ReducedUpdateSpec(plan, model);
  const UpdateLayout layout(model);
  const std::optional<uint64_t> room = UpdateRoom(spec, request.most_bits);
  TW_ASSIGN_OR_RETURN(BufferDifferences buffers,
                      BufferDifferences::Create(model, *request.base_buffers, *request.trained));
  const UpdatePlan update_plan = plan.update->AtRound(request.round);
  CodedUpdate coded;
  TW_ASSIGN_OR_RETURN(coded.unsent, AllOf(update));
  const auto code = plan.error_decay > 0 ? CodeContractiveUpdate : CodeUpdate;
  TW_ASSIGN_OR_RETURN(const std::string bytes, code(update_plan, layout, coded.unsent, room.value_or(0),
                                                    DeriveKey({request.seed, KeyWord("coded update")})));
  EncodeOptions options{Representation::kDelta, plan.uplink, request.base_id};
  options.update = &bytes;
  TW_ASSIGN_OR_RETURN(coded.payload, EncodePayload(spec, options, buffers, path));
  TW_ASSIGN_OR_RETURN(coded.report, SubtractSent(update_plan, bytes, layout, &coded.unsent));
  return coded;
}

}  // namespace thinwire
