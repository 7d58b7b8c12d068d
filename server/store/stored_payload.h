// A payload on the server's disk, open for as long as somebody reads it.
#ifndef THINWIRE_SERVER_STORE_STORED_PAYLOAD_H_
#define THINWIRE_SERVER_STORE_STORED_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// Stays readable after retention has removed its file. Immutable, thread-safe.
class StoredPayload {
 public:
  // Errors as PayloadReader::Open.
  static absl::StatusOr<std::shared_ptr<const StoredPayload>> Open(const std::string& path, const PayloadRef& ref,
                                                                   const ModelSpec& spec);
  const PayloadRef& ref() const { return reader_.ref(); }
  // Decoded: R.
  const PayloadReader& reader() const { return reader_; }
  // Raw bytes, for Download. OUT_OF_RANGE beyond ref().total_size.
  absl::Status ReadAt(uint64_t offset, size_t size, void* out) const { return file_.ReadAt(offset, size, out); }
  // Reads every segment: DATA_LOSS if one does not have the hash that the manifest gives.
  absl::Status Verify() const;

 private:
  StoredPayload(PayloadReader reader, File file) : reader_(std::move(reader)), file_(std::move(file)) {}
  PayloadReader reader_;
  File file_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_STORED_PAYLOAD_H_
