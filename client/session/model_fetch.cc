#include "client/session/model_fetch.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/sketch/model_changes.h"
#include "common/sketch/update_specs.h"

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
  changes_fault_ = absl::OkStatus();
  std::vector<Digest> wanted = {assignment.model.id};
  TW_RETURN_IF_ERROR(CheckSize(assignment.model, spec, Representation::kModel, downlink));
  if (assignment.frozen) {
    TW_RETURN_IF_ERROR(CheckSize(*assignment.frozen, spec, Representation::kFrozen, downlink));
    wanted.push_back(assignment.frozen->id);
  }
  if (assignment.changes) {
    TW_RETURN_IF_ERROR(MakeOfChanges(assignment, spec, progress));
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

absl::Status ModelFetcher::MakeOfChanges(const Assignment& assignment, const ModelSpec& spec,
                                         const PayloadDownloader::ProgressFn& progress) {
  const std::optional<PayloadRef> held = downloader_.FindModel();
  if (!held.has_value() || held->id == assignment.model.id) return absl::OkStatus();
  const absl::StatusOr<PayloadRef> made = ApplyTo(*held, *assignment.changes, spec, progress);
  if (made.ok() && *made == assignment.model) return Adopt(*made);
  if (made.ok()) {
    changes_fault_ = absl::DataLossError(absl::StrCat("what changed since ", held->id.Hex(), " makes ", made->id.Hex(),
                                                      ", not ", assignment.model.id.Hex()));
    return absl::OkStatus();
  }
  const absl::StatusCode code = made.status().code();
  if (code != absl::StatusCode::kDataLoss && code != absl::StatusCode::kInvalidArgument &&
      code != absl::StatusCode::kNotFound) {
    return made.status();
  }
  changes_fault_ = made.status();
  return absl::OkStatus();
}

absl::StatusOr<PayloadRef> ModelFetcher::ApplyTo(const PayloadRef& held, const ModelChanges& changes,
                                                 const ModelSpec& spec, const PayloadDownloader::ProgressFn& progress) {
  if (changes.entries > spec.count(TensorRole::kTrainable)) {
    return absl::InvalidArgumentError(absl::StrCat(changes.entries, " changes are announced, the model has ",
                                                   spec.count(TensorRole::kTrainable), " values to train"));
  }
  TW_ASSIGN_OR_RETURN(const PayloadReader reader, FetchPayload(changes.payload, ChangesSpec(spec, changes.entries),
                                                               CodecSpec::Sparse(CodecSpec::Fp32()), progress));
  if (reader.manifest().base_id != held.id) {
    return absl::InvalidArgumentError(absl::StrCat("the changes are of model ", reader.manifest().base_id.Hex(),
                                                   ", the one that is here is ", held.id.Hex()));
  }
  TW_ASSIGN_OR_RETURN(const PayloadReader older, Open(held, spec, progress));
  return ApplyChanges(spec, older, reader, downloader_.WorkPath());
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
