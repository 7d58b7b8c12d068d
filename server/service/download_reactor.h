// Federation.Download: a payload from an offset to its end.
#ifndef THINWIRE_SERVER_SERVICE_DOWNLOAD_REACTOR_H_
#define THINWIRE_SERVER_SERVICE_DOWNLOAD_REACTOR_H_

#include <cstdint>
#include <memory>

#include "server/service/chunk_stream.h"
#include "server/store/model_store.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

class DownloadReactor final : public ChunkStream<v1::DownloadResponse> {
 public:
  DownloadReactor(ServiceParts* parts, const v1::DownloadRequest& request)
      : ChunkStream(parts), request_(request), role_(parts->run->clients->RoleOf(request.client_id())) {}

 private:
  absl::Status Open() override;
  absl::StatusOr<bool> Fill(v1::DownloadResponse* response) override;
  void Sent(const v1::DownloadResponse& response) override;
  // The payload has arrived whole: what it would have been as FP32.
  void CountWhole();

  const v1::DownloadRequest request_;
  const Role role_;
  std::shared_ptr<const StoredPayload> payload_;
  uint64_t offset_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_DOWNLOAD_REACTOR_H_
