#include "server/store/stored_payload.h"

#include "common/base/status_macros.h"

namespace thinwire {

absl::StatusOr<std::shared_ptr<const StoredPayload>> StoredPayload::Open(const std::string& path, const PayloadRef& ref,
                                                                         const ModelSpec& spec) {
  TW_ASSIGN_OR_RETURN(PayloadReader reader, PayloadReader::Open(path, ref, spec));
  TW_ASSIGN_OR_RETURN(File file, File::OpenForRead(path));
  return std::shared_ptr<const StoredPayload>(new StoredPayload(std::move(reader), std::move(file)));
}

absl::Status StoredPayload::Verify() const {
  std::string frame;
  for (size_t i = 0; i < reader_.manifest().segments.size(); ++i) {
    TW_RETURN_IF_ERROR(reader_.ReadSegment(i, &frame));
  }
  return absl::OkStatus();
}

}  // namespace thinwire
