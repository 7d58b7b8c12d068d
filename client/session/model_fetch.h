// An assignment's model from the server: payloads fetched, checked, and decoded into memory or read block by block.
#ifndef THINWIRE_CLIENT_SESSION_MODEL_FETCH_H_
#define THINWIRE_CLIENT_SESSION_MODEL_FETCH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session/federation_api.h"
#include "client/session/payload_decode.h"
#include "client/session/payload_download.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// Thread-compatible. The model's memory is kept from round to round.
class ModelFetcher {
 public:
  // `api` must outlive it.
  ModelFetcher(const std::string& directory, FederationApi* api) : downloader_(directory, api) {}

  // What Fetch leaves beside base(): R in memory, in state(), or R block by block, in source().
  enum class Form { kState, kSource };

  // Afterwards base() reads R's payload. Errors: those of PayloadDownloader::Fetch and DecodeModel;
  // INVALID_ARGUMENT if a payload claims more bytes than a model of this shape can have. After DATA_LOSS the damaged
  // bytes are dropped: trying again fetches only them and what follows.
  absl::Status Fetch(const Assignment& assignment, const ModelSpec& spec, const CodecSpec& downlink, Form form,
                     const PayloadDownloader::ProgressFn& progress);

  // The model that is here, of whichever version, so that changes of it can be sent.
  std::optional<PayloadRef> HeldModel() const { return downloader_.FindModel(); }
  // Takes a model's payload that was written to WorkPath().
  absl::Status Adopt(const PayloadRef& ref) { return downloader_.Adopt(ref, downloader_.WorkPath()); }
  std::string WorkPath() const { return downloader_.WorkPath(); }
  // Why the changes that the last assignment named did not make its model, which was then downloaded whole.
  const absl::Status& changes_fault() const { return changes_fault_; }

  // One payload of any model, every segment checked. Errors and what they leave as of Fetch.
  absl::StatusOr<PayloadReader> FetchPayload(const PayloadRef& ref, const ModelSpec& spec, const CodecSpec& codec,
                                             const PayloadDownloader::ProgressFn& progress);
  absl::Status KeepOnly(const std::vector<Digest>& ids) { return downloader_.KeepOnly(ids); }
  absl::Status Discard(const PayloadRef& ref) { return downloader_.Discard(ref); }

  ModelState& state() { return state_; }
  BlockSource& source() { return *source_; }
  const HeldWeights& held() const { return held_; }
  const PayloadReader& base() const { return *base_; }
  uint64_t bytes_received() const { return downloader_.bytes_received(); }

 private:
  absl::StatusOr<PayloadReader> Open(const PayloadRef& ref, const ModelSpec& spec,
                                     const PayloadDownloader::ProgressFn& progress);
  absl::Status Take(const ModelSpec& spec, const CodecSpec& downlink, Form form);
  // Makes the assignment's model of the one that is here. Errors are those of a download that is worth another try:
  // if it is not, changes_fault_ says why.
  absl::Status MakeOfChanges(const Assignment& assignment, const ModelSpec& spec,
                             const PayloadDownloader::ProgressFn& progress);
  absl::StatusOr<PayloadRef> ApplyTo(const PayloadRef& held, const ModelChanges& changes, const ModelSpec& spec,
                                     const PayloadDownloader::ProgressFn& progress);

  PayloadDownloader downloader_;
  ModelState state_;
  ModelSpec spec_;  // of source_
  std::optional<PayloadReader> base_, frozen_;
  std::optional<ModelSource> source_;
  HeldWeights held_;
  absl::Status changes_fault_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_MODEL_FETCH_H_
