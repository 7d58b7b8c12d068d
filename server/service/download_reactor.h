// Federation.Download: a payload from an offset to its end. Every chunk is read from its file straight into the message
// that gRPC sends: one copy in memory, where the generated class would hold a second one.
#ifndef THINWIRE_SERVER_SERVICE_DOWNLOAD_REACTOR_H_
#define THINWIRE_SERVER_SERVICE_DOWNLOAD_REACTOR_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/service/chunk_stream.h"
#include "server/store/model_store.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// What a serialized v1::DownloadResponse has before its data: one field's key, and its length.
std::string DownloadResponseHead(size_t data_size);

// A chunk as a serialized v1::DownloadResponse. Errors as StoredPayload::ReadAt.
absl::StatusOr<grpc::ByteBuffer> SerializedChunk(const StoredPayload& payload, uint64_t offset, size_t size);

class DownloadReactor final : public ChunkStream<grpc::ByteBuffer> {
 public:
  DownloadReactor(ServiceParts* parts, const v1::DownloadRequest& request)
      : ChunkStream(parts, request.client_id()),
        request_(request),
        role_(parts->run->clients->RoleOf(request.client_id())) {}

 private:
  absl::Status Open() override;
  absl::StatusOr<bool> Fill(grpc::ByteBuffer* response) override;
  void Sent(const grpc::ByteBuffer& response) override;
  // The payload has arrived whole: what it would have been as FP32.
  void CountWhole();

  const v1::DownloadRequest request_;
  const Role role_;
  std::shared_ptr<const StoredPayload> payload_;
  uint64_t offset_ = 0;
  size_t chunk_ = 0;  // bytes of the payload in the message that is being sent
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_DOWNLOAD_REACTOR_H_
