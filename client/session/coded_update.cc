#include "client/session/coded_update.h"

#include <algorithm>
#include <optional>

#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/sketch/reduced_source.h"
#include "common/sketch/update_specs.h"
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

absl::Status SubtractSent(CodecId codec, const std::string& bytes, const UpdateLayout& layout,
                          std::vector<float>* values) {
  return DecodeUpdateString(codec, bytes, layout, [values](const UpdateLayout::Tensor& tensor, absl::Span<float> sent) {
    for (uint64_t i = 0; i < tensor.count; ++i) (*values)[tensor.first + i] -= sent[i];
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<PayloadRef> EncodeCodedUpdate(const ExchangePlan& plan, const ModelSpec& model, UpdateVector* update,
                                             BlockSource& trained, const Digest& base_id, uint64_t seed,
                                             const std::string& path, std::vector<float>* unsent) {
  TW_RETURN_IF_ERROR(CheckBudget(plan, model));
  const ModelSpec spec = ReducedUpdateSpec(plan, model);
  const UpdateLayout layout(model);
  const std::optional<uint64_t> room = UpdateRoom(spec, plan.update->BudgetBits(layout.size()));
  TW_ASSIGN_OR_RETURN(std::vector<float> values, AllOf(update));
  TW_ASSIGN_OR_RETURN(const std::string bytes, CodeUpdate(*plan.update, layout, values, room.value_or(0),
                                                          DeriveKey({seed, KeyWord("coded update")})));
  EncodeOptions options{Representation::kDelta, plan.uplink, base_id};
  options.update = &bytes;
  ReducedSource source({}, model, trained);
  TW_ASSIGN_OR_RETURN(const PayloadRef payload, EncodePayload(spec, options, source, path));
  if (unsent == nullptr) return payload;
  TW_RETURN_IF_ERROR(SubtractSent(plan.uplink.id, bytes, layout, &values));
  *unsent = std::move(values);
  return payload;
}

}  // namespace thinwire
