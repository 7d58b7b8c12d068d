#include "server/service/upload_part.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

constexpr uint8_t kDataKey = v1::UploadRequest::kDataFieldNumber << 3 | 2;
constexpr size_t kMaxHead = 6;  // the key, and a length of at most 2^32

absl::string_view View(const grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

}  // namespace

absl::StatusOr<UploadPart> UploadPart::Parse(grpc::ByteBuffer* message) {
  UploadPart part;
  part.message_size_ = message->Length();
  std::vector<grpc::Slice> slices;
  if (!message->Dump(&slices).ok()) return absl::InternalError("a message of an upload cannot be read");
  if (part.TakeData(std::move(slices))) return part;
  const grpc::Status parsed = grpc::SerializationTraits<v1::UploadRequest>::Deserialize(message, &part.request_);
  if (!parsed.ok() || part.request_.part_case() == v1::UploadRequest::PART_NOT_SET) {
    return absl::InvalidArgumentError(
        absl::StrCat("a message of ", part.message_size_, " bytes is not an UploadRequest with a header or data"));
  }
  part.data_size_ = part.request_.data().size();
  return part;
}

bool UploadPart::TakeData(std::vector<grpc::Slice> slices) {
  std::array<uint8_t, kMaxHead> head = {};
  size_t filled = 0;
  for (const grpc::Slice& slice : slices) {
    const size_t taken = std::min(slice.size(), head.size() - filled);
    std::copy_n(slice.begin(), taken, head.begin() + filled);
    filled += taken;
    if (filled == head.size()) break;
  }
  google::protobuf::io::CodedInputStream input(head.data(), static_cast<int>(filled));
  uint32_t size = 0;
  if (input.ReadTag() != kDataKey || !input.ReadVarint32(&size)) return false;
  head_size_ = static_cast<size_t>(input.CurrentPosition());
  if (head_size_ + size != message_size_) return false;
  data_size_ = size;
  slices_ = std::move(slices);
  return true;
}

std::vector<absl::string_view> UploadPart::data() const {
  if (slices_.empty()) return {request_.data()};
  std::vector<absl::string_view> pieces;
  size_t skip = head_size_;
  for (const grpc::Slice& slice : slices_) {
    const size_t skipped = std::min(skip, slice.size());
    skip -= skipped;
    if (skipped < slice.size()) pieces.push_back(View(slice).substr(skipped));
  }
  return pieces;
}

}  // namespace thinwire
