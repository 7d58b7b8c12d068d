#include "server/service/round_work.h"

#include "common/base/status_macros.h"
#include "server/aggregate/fixed_point.h"

namespace thinwire {

absl::StatusOr<std::shared_ptr<RoundWork>> RoundWork::Open(const RoundRow& row, const ModelStore& models,
                                                           const ServerConfig& config) {
  std::shared_ptr<RoundWork> work(new RoundWork());
  work->round_ = row.round;
  work->max_norm_ = config.proto.aggregation().max_update_norm();
  work->clip_norm_ = config.proto.aggregation().clip_norm();
  work->spec_ = models.spec();
  TW_ASSIGN_OR_RETURN(work->base_, models.Downlink(row.base_version));
  TW_ASSIGN_OR_RETURN(const FixedPoint fixed_point, ParseFixedPoint(row.fixed_point));
  if (config.aggregator.robust()) {
    work->columns_ = std::make_unique<UpdateColumns>(*work->spec_, fixed_point, config.aggregator);
    return work;
  }
  TW_ASSIGN_OR_RETURN(work->accumulator_, Accumulator::Create(*work->spec_, fixed_point));
  return work;
}

absl::StatusOr<FoldReport> RoundWork::Fold(const UpdateRow& update, const std::string& path) {
  FoldRequest request;
  request.path = path;
  request.payload = update.payload;
  request.base = &base_->reader();
  request.base_id = base_->ref().id;
  request.weight = update.examples;
  request.max_norm = max_norm_;
  request.clip_norm = clip_norm_;
  return columns_ != nullptr ? columns_->Add(request) : FoldUpdate(*spec_, request, accumulator_.get());
}

const RoundAggregate& RoundWork::aggregate() const {
  if (columns_ != nullptr) return *columns_;
  return *accumulator_;
}

}  // namespace thinwire
