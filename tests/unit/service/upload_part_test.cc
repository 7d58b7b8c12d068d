// Messages of an upload as gRPC hands them over: in slices that end anywhere.
#include "server/service/upload_part.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

grpc::ByteBuffer InPieces(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t i = 0; i < bytes.size(); i += piece) slices.emplace_back(bytes.substr(i, piece));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Joined(const UploadPart& part) { return absl::StrJoin(part.data(), ""); }

std::string DataMessage(const std::string& data) {
  v1::UploadRequest request;
  request.set_data(data);
  return request.SerializeAsString();
}

TEST(UploadPart, DataComeOutWhateverTheSlices) {
  for (const size_t size : {0, 1, 127, 128, 5000, 1 << 18}) {
    std::string data(size, 'x');
    for (size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 7);
    const std::string message = DataMessage(data);
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{8192}, message.size()}) {
      if (message.size() / piece > 10'000) continue;
      grpc::ByteBuffer buffer = InPieces(message, piece);
      const absl::StatusOr<UploadPart> part = UploadPart::Parse(&buffer);
      ASSERT_THAT(part.status(), IsOk()) << size << " in pieces of " << piece;
      EXPECT_FALSE(part->is_header());
      EXPECT_EQ(part->data_size(), size);
      EXPECT_EQ(part->message_size(), message.size());
      EXPECT_EQ(Joined(*part), data);
    }
  }
}

TEST(UploadPart, AHeaderIsParsed) {
  v1::UploadRequest request;
  request.mutable_header()->set_client_id("c1");
  grpc::ByteBuffer buffer = InPieces(request.SerializeAsString(), 3);
  const absl::StatusOr<UploadPart> part = UploadPart::Parse(&buffer);
  ASSERT_THAT(part.status(), IsOk());
  EXPECT_TRUE(part->is_header());
  EXPECT_EQ(part->header().client_id(), "c1");
}

TEST(UploadPart, UnusualButValidBytesMeanWhatProtobufSays) {
  // Two data fields: the last one counts. A length written in more bytes than it needs is a length all the same.
  const std::string twice = DataMessage("first") + DataMessage("second");
  const std::string long_length = std::string("\x12\x82\x00", 3) + "ab";
  for (const auto& [bytes, data] : {std::pair(twice, "second"), std::pair(long_length, "ab")}) {
    grpc::ByteBuffer buffer = InPieces(bytes, 2);
    const absl::StatusOr<UploadPart> part = UploadPart::Parse(&buffer);
    ASSERT_THAT(part.status(), IsOk());
    EXPECT_EQ(Joined(*part), data);
    EXPECT_EQ(part->data_size(), std::string(data).size());
  }
}

TEST(UploadPart, OtherBytesAreRefused) {
  const std::string cut = DataMessage("abcdef").substr(0, 5);
  for (const std::string& bytes : {std::string(), std::string("\x12"), cut, std::string("garbage"),
                                   std::string("\x12\xff\xff\xff\xff\xff", 6), std::string("\x1a\x01z")}) {
    grpc::ByteBuffer buffer = InPieces(bytes, 2);
    EXPECT_THAT(UploadPart::Parse(&buffer).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not an UploadRequest")))
        << bytes.size();
  }
}

}  // namespace
}  // namespace thinwire
