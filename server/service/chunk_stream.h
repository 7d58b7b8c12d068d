// A server stream that sends a file's bytes, chunk after chunk.
#ifndef THINWIRE_SERVER_SERVICE_CHUNK_STREAM_H_
#define THINWIRE_SERVER_SERVICE_CHUNK_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/grpc_status.h"
#include "server/service/service_parts.h"

namespace thinwire {

// One step at a time: either a task on the I/O pool reads a chunk, or gRPC writes it; each hands over to the other. So
// there is one chunk in memory per stream, a slow client stops the reading, and no lock is needed. A client that has
// gone is noticed when its write fails.
template <typename Response>
class ChunkStream : public grpc::ServerWriteReactor<Response> {
 public:
  // `caller` is whose quota of downloads it counts to.
  ChunkStream(ServiceParts* parts, std::string caller) : parts_(parts), caller_(std::move(caller)) {}
  ~ChunkStream() override {
    if (counted_) parts_->downloads->Leave(caller_);
  }

  // Call once, after construction. The stream deletes itself when it is done.
  void Begin() {
    const absl::Status room = parts_->downloads->Enter(caller_);
    if (!room.ok()) return End(RefuseAtLimit(parts_, "too many downloads", caller_, room));
    counted_ = true;
    Schedule([this] { return Open(); });
  }

  void OnWriteDone(bool ok) final {
    if (!ok) return End(absl::CancelledError("the client has gone"));
    Sent(response_);
    Schedule([] { return absl::OkStatus(); });
  }
  void OnDone() final { delete this; }

 protected:
  // Finds what to send. On the I/O pool.
  virtual absl::Status Open() = 0;
  // Fills the next message; false at the end. On the I/O pool.
  virtual absl::StatusOr<bool> Fill(Response* response) = 0;
  // The message is on its way. Must not block.
  virtual void Sent(const Response&) {}

  ServiceParts* const parts_;

 private:
  template <typename Prepare>
  void Schedule(Prepare prepare) {
    parts_->run->io->Run([this, prepare] {
      absl::Status status = parts_->leaving ? ServerLeaving() : prepare();
      if (!status.ok()) return End(status);
      const absl::StatusOr<bool> more = Fill(&response_);
      if (!more.ok() || !*more) return End(more.status());
      this->StartWrite(&response_);
    });
  }
  void End(const absl::Status& status) { this->Finish(ToGrpcStatus(status)); }

  const std::string caller_;
  Response response_;
  bool counted_ = false;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_CHUNK_STREAM_H_
