// One message of Federation.Upload, taken apart where it lies in gRPC's buffers: the generated class would hold a
// second copy of every chunk.
#ifndef THINWIRE_SERVER_SERVICE_UPLOAD_PART_H_
#define THINWIRE_SERVER_SERVICE_UPLOAD_PART_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

class UploadPart {
 public:
  // INVALID_ARGUMENT unless `message` is a serialized v1::UploadRequest with a header or data.
  static absl::StatusOr<UploadPart> Parse(grpc::ByteBuffer* message);

  bool is_header() const { return request_.has_header(); }
  const v1::UploadHeader& header() const { return request_.header(); }
  size_t message_size() const { return message_size_; }
  size_t data_size() const { return data_size_; }
  // The data's pieces in order, as long as this object lives.
  std::vector<absl::string_view> data() const;

 private:
  // A message that holds one data field and nothing else, which is how every protobuf library writes it.
  bool TakeData(std::vector<grpc::Slice> slices);

  v1::UploadRequest request_;  // unless TakeData took it
  std::vector<grpc::Slice> slices_;
  size_t head_size_ = 0;  // bytes of slices_ before the data
  size_t message_size_ = 0;
  size_t data_size_ = 0;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_UPLOAD_PART_H_
