#include "client/session/model_fetch.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/session/payload_decode.h"
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
                                 const PayloadDownloader::ProgressFn& progress) {
  base_.reset();
  std::vector<Digest> wanted = {assignment.model.id};
  TW_RETURN_IF_ERROR(CheckSize(assignment.model, spec, Representation::kModel, downlink));
  if (assignment.frozen) {
    TW_RETURN_IF_ERROR(CheckSize(*assignment.frozen, spec, Representation::kFrozen, downlink));
    wanted.push_back(assignment.frozen->id);
  }
  TW_RETURN_IF_ERROR(downloader_.KeepOnly(wanted));
  std::optional<PayloadReader> frozen;
  if (assignment.frozen) {
    TW_ASSIGN_OR_RETURN(frozen, Open(*assignment.frozen, spec, progress));
  }
  TW_ASSIGN_OR_RETURN(base_, Open(assignment.model, spec, progress));
  absl::Status decoded = Decode(frozen, spec);
  if (decoded.code() != absl::StatusCode::kDataLoss) return decoded;
  TW_RETURN_IF_ERROR(downloader_.CutToIntactPrefix(assignment.model));
  if (assignment.frozen) {
    TW_RETURN_IF_ERROR(downloader_.CutToIntactPrefix(*assignment.frozen));
  }
  return decoded;
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

absl::Status ModelFetcher::Decode(const std::optional<PayloadReader>& frozen, const ModelSpec& spec) {
  if (state_.spec != spec || state_.floats.empty()) state_ = ModelState(spec);
  return DecodeModel(*base_, frozen ? &*frozen : nullptr, &state_);
}

}  // namespace thinwire
