// Control.ExportModel: a version's weights as a safetensors file.
#ifndef THINWIRE_SERVER_SERVICE_EXPORT_REACTOR_H_
#define THINWIRE_SERVER_SERVICE_EXPORT_REACTOR_H_

#include <cstdint>

#include "common/base/file.h"
#include "server/service/chunk_stream.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

class ExportReactor final : public ChunkStream<v1::ExportModelResponse> {
 public:
  ExportReactor(ServiceParts* parts, const v1::ExportModelRequest& request)
      : ChunkStream(parts, "an operator"), request_(request) {}

 private:
  absl::Status Open() override;
  absl::StatusOr<bool> Fill(v1::ExportModelResponse* response) override;

  const v1::ExportModelRequest request_;
  File file_;
  uint64_t version_ = 0;
  uint64_t size_ = 0;
  uint64_t offset_ = 0;
  bool header_sent_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_EXPORT_REACTOR_H_
