// Federation.Upload: a payload from an offset to its end, into the spool.
#ifndef THINWIRE_SERVER_SERVICE_UPLOAD_REACTOR_H_
#define THINWIRE_SERVER_SERVICE_UPLOAD_REACTOR_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "server/service/client_desk.h"
#include "server/service/open_uploads.h"
#include "server/service/service_parts.h"
#include "server/service/upload_part.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// Either a read is under way, or somebody works on what was read: the driver on the header, an I/O task on a chunk. The
// next read starts when the work is done, which is the flow control: one chunk per upload in memory. End, from any
// thread, takes effect between the two. Messages are raw bytes, see upload_part.h. Deletes itself in OnDone.
class UploadReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer>, public UploadStream {
 public:
  UploadReactor(ServiceParts* parts, grpc::ByteBuffer* response, grpc::CallbackServerContext* context)
      : parts_(parts), response_(response), context_(context) {}
  // Call once, after construction.
  void Begin();

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void End(const absl::StatusOr<v1::UploadResponse>& outcome) override;

 private:
  using Outcome = absl::StatusOr<v1::UploadResponse>;

  // The work is done: read on, unless the stream is to end.
  void ReadNext();
  // The work is done, and so is the stream.
  void Conclude(const Outcome& outcome);
  void FinishLocked(const Outcome& outcome) TW_REQUIRES(mutex_);

  void TakeMessage();
  void TakeHeader();
  void Admitted(const absl::StatusOr<ClientDesk::Admission>& admission);
  absl::Status OpenSpool();
  void TakeChunk();
  absl::Status WriteChunk();
  void Complete();
  Outcome CompleteNow();
  Outcome Receive(const std::string& file);
  Outcome EarlierReceipt();

  ServiceParts* const parts_;
  grpc::ByteBuffer* const response_;
  grpc::CallbackServerContext* const context_;

  Mutex mutex_;
  bool working_ TW_GUARDED_BY(mutex_) = false;
  bool finished_ TW_GUARDED_BY(mutex_) = false;
  std::optional<Outcome> ending_ TW_GUARDED_BY(mutex_);

  // Of whoever works.
  grpc::ByteBuffer message_;
  UploadPart part_;
  v1::UploadHeader header_;
  bool has_header_ = false;
  Role role_ = Role::kTrainer;
  ClientDesk::Admission admission_;
  std::unique_ptr<SpoolUpload> upload_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_UPLOAD_REACTOR_H_
