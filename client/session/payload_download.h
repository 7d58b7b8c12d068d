// Payloads fetched to disk, resumed at the byte where an earlier try, or an earlier process, broke off.
#ifndef THINWIRE_CLIENT_SESSION_PAYLOAD_DOWNLOAD_H_
#define THINWIRE_CLIENT_SESSION_PAYLOAD_DOWNLOAD_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session/federation_api.h"
#include "common/base/file.h"
#include "common/codec/payload.h"

namespace thinwire {

// Keeps finished payloads as a cache in `directory`. Nothing is synced: what a power loss damages is found by its hash
// and fetched again. Thread-compatible.
class PayloadDownloader {
 public:
  // Called as bytes arrive: bytes held when the fetch began, now, and of the whole payload.
  using ProgressFn = std::function<void(uint64_t start, uint64_t done, uint64_t total)>;

  // `api` must outlive it.
  PayloadDownloader(std::string directory, FederationApi* api) : directory_(std::move(directory)), api_(api) {}

  // The path of the whole payload, from the cache or the server. The manifest's hash has been checked, as soon as the
  // manifest was there; the segments' hashes are checked by whoever reads them (PayloadReader). Errors: those of
  // FederationApi::Download; UNAVAILABLE if the stream ended early; DATA_LOSS, and the bytes dropped, for a manifest of
  // another hash or more bytes than announced. Bytes that arrived before an error are kept.
  absl::StatusOr<std::string> Fetch(const PayloadRef& ref, const ProgressFn& progress);

  // After a reader found a segment damaged: keeps what precedes the first damaged byte, so that the next Fetch goes on
  // from there.
  absl::Status CutToIntactPrefix(const PayloadRef& ref);

  // Takes a payload that was made here, by renaming its file: it need not be fetched.
  absl::Status Adopt(const PayloadRef& ref, const std::string& path);
  // Where a payload may be written before it is adopted; what is left there goes with the next KeepOnly.
  std::string WorkPath() const { return JoinPath(directory_, "made.tmp"); }
  // The whole payload of a model that is here, by its manifest; nothing if there is none, or several.
  std::optional<PayloadRef> FindModel() const;

  // Deletes a payload that is of no further use.
  absl::Status Discard(const PayloadRef& ref) { return RemoveFile(WholePath(ref)); }

  // Deletes every payload but these.
  absl::Status KeepOnly(const std::vector<Digest>& ids);

  // Received from the server so far, over all fetches.
  uint64_t bytes_received() const { return bytes_received_; }

 private:
  std::string PartPath(const PayloadRef& ref) const;
  std::string WholePath(const PayloadRef& ref) const;
  absl::Status Receive(const PayloadRef& ref, const ProgressFn& progress);

  const std::string directory_;
  FederationApi* const api_;
  uint64_t bytes_received_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_PAYLOAD_DOWNLOAD_H_
