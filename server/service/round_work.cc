#include "server/service/round_work.h"

#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/sketch/update_specs.h"
#include "common/subspace/coordinates.h"
#include "common/update/upload_budget.h"
#include "server/aggregate/fixed_point.h"
#include "server/service/downlink_variant.h"

namespace thinwire {

namespace {

UpdateForm FormOf(const ExchangePlan& plan, const ModelSpec& model) {
  UpdateForm form;
  if (plan.update.has_value()) {
    form.buffers.emplace(model);
    return form;
  }
  form.base_tensors = form.sum_tensors = TensorsOfReducedUpdate(model);
  if (!plan.sketch.has_value()) return form;
  std::iota(form.sum_tensors.begin(), form.sum_tensors.end(), 0u);  // the sums are of what clients send
  form.sketch_rows = plan.sketch->rows;
  return form;
}

}  // namespace

absl::StatusOr<std::shared_ptr<RoundWork>> RoundWork::Open(const RoundRow& row, ModelStore* models,
                                                           const ServerConfig& config) {
  std::shared_ptr<RoundWork> work(new RoundWork());
  work->round_ = row.round;
  work->max_norm_ = config.proto.aggregation().max_update_norm();
  work->clip_norm_ = config.proto.aggregation().clip_norm();
  work->spec_ = models->spec();
  work->update_ = models->update_spec();
  work->subspace_ = config.plan.subspace;
  work->models_ = models;
  work->run_seed_ = config.proto.run().seed();
  work->base_version_ = row.base_version;
  TW_ASSIGN_OR_RETURN(work->bases_[0], models->Downlink(row.base_version));
  TW_ASSIGN_OR_RETURN(const FixedPoint fixed_point, ParseFixedPoint(row.fixed_point));
  if (config.aggregator.robust()) {
    work->columns_ = std::make_unique<UpdateColumns>(*work->spec_, fixed_point, config.aggregator);
    return work;
  }
  if (SendsReducedUpdates(config.plan)) work->form_ = FormOf(config.plan, *work->spec_);
  if (config.plan.update.has_value()) work->layout_.emplace(CodedModel(config.plan, *models->model()));
  TW_ASSIGN_OR_RETURN(work->accumulator_, Accumulator::Create(*models->sum_spec(), fixed_point));
  return work;
}

absl::StatusOr<const StoredPayload*> RoundWork::BaseOf(const UpdateRow& update) {
  const AssignmentRecord& assignment = update.assignment;
  // In a subspace all have the same coordinates, whatever they were sent before them.
  const uint32_t variant = subspace_.has_value() ? 0
                                                 : DownlinkVariant(run_seed_, assignment.kind, round_,
                                                                   assignment.client, models_->variants());
  {
    MutexLock lock(mutex_);
    const auto it = bases_.find(variant);
    if (it != bases_.end()) return it->second.get();
  }
  absl::StatusOr<std::shared_ptr<const StoredPayload>> made = models_->Variant(base_version_, variant);
  if (!made.ok()) {
    return absl::InternalError(
        absl::StrCat("cannot make the payload that the update started from: ", made.status().message()));
  }
  MutexLock lock(mutex_);
  return bases_.emplace(variant, *std::move(made)).first->second.get();
}

absl::StatusOr<FoldReport> RoundWork::Fold(const UpdateRow& update, const std::string& path) {
  TW_ASSIGN_OR_RETURN(const StoredPayload* const base, BaseOf(update));
  FoldRequest request;
  request.path = path;
  request.payload = update.payload;
  request.base = &base->reader();
  request.base_id = base->ref().id;
  request.weight = update.examples;
  request.max_norm = max_norm_;
  request.clip_norm = clip_norm_;
  if (form_.has_value()) request.form = &*form_;
  if (layout_.has_value()) request.layout = &*layout_;
  if (subspace_.has_value()) {
    request.first_coordinate =
        subspace_->dimension * VectorOfClient(*subspace_, run_seed_, round_, update.assignment.client);
  }
  return columns_ != nullptr ? columns_->Add(request) : FoldUpdate(*update_, request, accumulator_.get());
}

const RoundAggregate& RoundWork::aggregate() const {
  if (columns_ != nullptr) return *columns_;
  return *accumulator_;
}

}  // namespace thinwire
