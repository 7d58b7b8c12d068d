#include "client/session/model_fetch.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status CheckSize(const PayloadRef& ref, const ModelSpec& spec, Representation representation,
                       const CodecSpec& codec) {
  TW_ASSIGN_OR_RETURN(const uint64_t limit, MaxPayloadSize(spec, representation, codec));
  if (ref.total_size <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("payload ", ref.id.Hex(), " claims ", ref.total_size,
                                                 " bytes; a model of this shape as ", codec.Name(), " has at most ",
                                                 limit));
}

}  // namespace

absl::Status ModelFetcher::Fetch(const Assignment& assignment, const ModelSpec& spec, const CodecSpec& downlink,
                                 Form form, const PayloadDownloader::ProgressFn& progress) {
  source_.reset();
  frozen_.reset();
  base_.reset();
  std::vector<Digest> wanted = {assignment.model.id};
  TW_RETURN_IF_ERROR(CheckSize(assignment.model, spec, Representation::kModel, downlink));
  if (assignment.frozen) {
    TW_RETURN_IF_ERROR(CheckSize(*assignment.frozen, spec, Representation::kFrozen, downlink));
    wanted.push_back(assignment.frozen->id);
  }
  TW_RETURN_IF_ERROR(downloader_.KeepOnly(wanted));
  if (assignment.frozen) {
    TW_ASSIGN_OR_RETURN(frozen_, Open(*assignment.frozen, spec, progress));
  }
  TW_ASSIGN_OR_RETURN(base_, Open(assignment.model, spec, progress));
  absl::Status taken = Take(spec, downlink, form);
  if (taken.code() != absl::StatusCode::kDataLoss) return taken;
  TW_RETURN_IF_ERROR(downloader_.CutToIntactPrefix(assignment.model));
  if (assignment.frozen) {
    TW_RETURN_IF_ERROR(downloader_.CutToIntactPrefix(*assignment.frozen));
  }
  return taken;
}

absl::StatusOr<PayloadReader> ModelFetcher::FetchPayload(const PayloadRef& ref, const ModelSpec& spec,
                                                         const CodecSpec& codec,
                                                         const PayloadDownloader::ProgressFn& progress) {
  TW_RETURN_IF_ERROR(CheckSize(ref, spec, Representation::kModel, codec));
  TW_ASSIGN_OR_RETURN(PayloadReader reader, Open(ref, spec, progress));
  const absl::Status whole = CheckModel(reader, nullptr, spec);
  if (absl::IsDataLoss(whole)) TW_RETURN_IF_ERROR(downloader_.CutToIntactPrefix(ref));
  TW_RETURN_IF_ERROR(whole);
  return reader;
}

absl::StatusOr<PayloadReader> ModelFetcher::Open(const PayloadRef& ref, const ModelSpec& spec,
                                                 const PayloadDownloader::ProgressFn& progress) {
  TW_ASSIGN_OR_RETURN(const std::string path, downloader_.Fetch(ref, progress));
  absl::StatusOr<PayloadReader> reader = PayloadReader::Open(path, ref, spec);
  if (reader.status().code() == absl::StatusCode::kDataLoss) {
    TW_RETURN_IF_ERROR(downloader_.CutToIntactPrefix(ref));
  }
  return reader;
}

absl::Status ModelFetcher::Take(const ModelSpec& spec, const CodecSpec& downlink, Form form) {
  const PayloadReader* const frozen = frozen_ ? &*frozen_ : nullptr;
  if (form == Form::kSource) {
    TW_RETURN_IF_ERROR(CheckModel(*base_, frozen, spec));
    held_ = {downlink, nullptr};
    if (downlink.blocks.exact_one_in > 0) {
      TW_ASSIGN_OR_RETURN(RowBlockSet exact, ExactRowBlocks(spec, *base_));
      held_.exact = std::make_shared<const RowBlockSet>(std::move(exact));
    }
    spec_ = spec;
    source_.emplace(spec_, *base_, frozen, SegmentCheck::kFrameOnly);
    return absl::OkStatus();
  }
  if (state_.spec != spec || state_.floats.empty()) state_ = ModelState(spec);
  return DecodeModel(*base_, frozen, &state_);
}

}  // namespace thinwire
