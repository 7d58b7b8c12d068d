// Clients that send nonsense lose their place in the round; the round and the server go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/codec/codec.h"
#include "common/wire/convert.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/testing/process_memory.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSomeMemory = 32 << 20;  // what any round may take
constexpr int kParameters = 1000;           // of the echo clients' model: ten tensors of 100 values

// One good client and one that a test drives by hand share a round.
class HostileClientTest : public FederationTest {
 protected:
  void SetUp() override {
    Sections sections;
    sections.round = "min_updates: 1 deadline { seconds: 20 }";
    ASSERT_THAT(cluster_.StartServer(Config(1, 2, kFp32, sections)), IsOk());
    StartEchoClients(1, kParameters);
    bad_ = std::make_unique<RawClient>(cluster_.federation_address(), "mallory");
    ASSERT_THAT(
        cluster_.AwaitStatus([](const v1::Status& now) { return now.round_state() == v1::ROUND_STATE_INVITING; }),
        IsOk());
    ASSERT_OK_AND_ASSIGN(const v1::JoinResponse joined, bad_->Join(nullptr));
    ASSERT_OK_AND_ASSIGN(spec_, FromProto(joined.model()));
    ASSERT_OK_AND_ASSIGN(work_, bad_->AwaitWork());
    ASSERT_OK_AND_ASSIGN(base_, FromProto(work_.model()));
  }

  // A whole, honest update whose values are all `value`.
  BuiltPayload Update(float value, const ModelSpec& spec) {
    Manifest manifest;
    manifest.representation = Representation::kDelta;
    manifest.model_id = spec.id();
    manifest.base_id = base_.id;
    std::vector<std::string> frames;
    const std::unique_ptr<Codec> codec = *MakeCodec(CodecSpec::Fp32());
    for (uint32_t tensor = 0; tensor < spec.tensors().size(); ++tensor) {
      const auto count = static_cast<uint32_t>(spec.tensors()[tensor].count());
      frames.emplace_back();
      EXPECT_THAT(codec->Encode(std::vector<float>(count, value), 1, &frames.back()), IsOk());
      manifest.segments.push_back({tensor, 0, count, 0, {}});
    }
    return BuildPayload(manifest, frames);
  }
  BuiltPayload Update(float value) { return Update(value, spec_); }

  // The server takes the bytes or refuses them at the door; either way the update fails and the round closes without
  // it.
  void ExpectRefused(const BuiltPayload& payload, absl::StatusCode at_the_door, const std::string& reason) {
    const absl::StatusOr<v1::UploadResponse> sent = bad_->Upload(bad_->HeaderFor(work_, payload.ref), payload.bytes);
    if (sent.ok()) {
      ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse verdict,
                           bad_->AwaitVerdict(work_.assignment_id(), payload.ref.id));
      EXPECT_EQ(verdict.state(), v1::UPDATE_STATE_FAILED);
      EXPECT_THAT(verdict.reason(), HasSubstr(reason));
    } else {
      EXPECT_THAT(sent, StatusIs(at_the_door, HasSubstr(reason)));
    }
    ExpectTheRoundGoesOnWithout(1);
  }
  void ExpectTheRoundGoesOnWithout(uint32_t others) {
    ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
    EXPECT_EQ(end.state(), v1::RUN_STATE_COMPLETED) << end.reason();
    ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
    EXPECT_EQ(rounds[0].counters().folded(), 1u);
    EXPECT_EQ(rounds[0].counters().invited() - rounds[0].counters().folded(), others);
    ASSERT_OK_AND_ASSIGN(SafetensorsReader model, SafetensorsReader::Open(end.model_path()));
    std::vector<float> values(100);
    ASSERT_THAT(model.ReadFloats(0, 0, absl::MakeSpan(values)), IsOk());
    for (const float value : values) EXPECT_LT(std::abs(value), 10.0f);
  }

  std::unique_ptr<RawClient> bad_;
  ModelSpec spec_;
  v1::Assignment work_;
  PayloadRef base_;
};

TEST_F(HostileClientTest, NotANumberIsRefusedAndNamed) {
  BuiltPayload payload = Update(0.5f);
  // A NaN in the last frame, its checksums made right: only the value is wrong.
  std::string& bytes = payload.bytes;
  const size_t frame = bytes.size() - 416;
  StoreLittle<uint32_t>(FloatBits(std::numeric_limits<float>::quiet_NaN()), &bytes[frame + 16]);
  const absl::string_view view(bytes);
  StoreLittle<uint32_t>(Crc32c(view.substr(frame + 16), Crc32c(view.substr(frame, 12))), &bytes[frame + 12]);
  Manifest manifest = *ParseManifest(view.substr(0, payload.ref.manifest_size));
  std::vector<std::string> frames;
  size_t at = payload.ref.manifest_size;
  for (const Segment& segment : manifest.segments) {
    frames.emplace_back(bytes.substr(at, segment.size));
    at += segment.size;
  }
  ExpectRefused(BuildPayload(manifest, frames), absl::StatusCode::kInvalidArgument, "finite");
}

TEST_F(HostileClientTest, AWrongShapeIsRefused) {
  const ModelSpec other = *ModelSpec::Create({{"layer", {99}, DataType::kFloat32, TensorRole::kTrainable}});
  ExpectRefused(Update(0.5f, other), absl::StatusCode::kInvalidArgument, "");
}

TEST_F(HostileClientTest, AMissingTensorIsRefused) {
  std::vector<TensorSpec> tensors = spec_.tensors();
  tensors.pop_back();
  ModelSpec shorter = *ModelSpec::Create(tensors);
  BuiltPayload payload = Update(0.5f, shorter);
  // Claims to be the run's model, nine of its ten tensors.
  payload.bytes.replace(24, 32, std::string(spec_.id().AsBytes()));
  payload.ref.id = Sha256(absl::string_view(payload.bytes).substr(0, payload.ref.manifest_size));
  ExpectRefused(payload, absl::StatusCode::kInvalidArgument, "");
}

TEST_F(HostileClientTest, AnUpdateOverTheNormBoundIsRefused) {
  ExpectRefused(Update(100.0f), absl::StatusCode::kInvalidArgument, "norm");
}

TEST_F(HostileClientTest, AnUnknownCodecIsRefused) {
  BuiltPayload payload = Update(0.5f);
  Manifest manifest = *ParseManifest(absl::string_view(payload.bytes).substr(0, payload.ref.manifest_size));
  std::vector<std::string> frames;
  size_t at = payload.ref.manifest_size;
  for (const Segment& segment : manifest.segments) {
    std::string frame = payload.bytes.substr(at, segment.size);
    frame[1] = 77;
    const absl::string_view view(frame);
    StoreLittle<uint32_t>(Crc32c(view.substr(16), Crc32c(view.substr(0, 12))), &frame[12]);
    frames.push_back(frame);
    at += segment.size;
  }
  ExpectRefused(BuildPayload(manifest, frames), absl::StatusCode::kUnimplemented, "77");
}

TEST_F(HostileClientTest, AFrameThatDeclaresFourBillionValuesTakesNoMemory) {
  BuiltPayload payload = Update(0.5f);
  const Manifest manifest = *ParseManifest(absl::string_view(payload.bytes).substr(0, payload.ref.manifest_size));
  std::vector<std::string> frames;
  size_t at = payload.ref.manifest_size;
  for (const Segment& segment : manifest.segments) {
    std::string frame = payload.bytes.substr(at, segment.size);
    StoreLittle<uint32_t>(0xffffffff, &frame[4]);
    const absl::string_view view(frame);
    StoreLittle<uint32_t>(Crc32c(view.substr(16), Crc32c(view.substr(0, 12))), &frame[12]);
    frames.push_back(frame);
    at += segment.size;
  }
  const uint64_t before = PeakMemory(cluster_.server().pid());
  ExpectRefused(BuildPayload(manifest, frames), absl::StatusCode::kInvalidArgument, "4294967295");
  EXPECT_LT(PeakMemory(cluster_.server().pid()) - before, kSomeMemory);
}

TEST_F(HostileClientTest, AManifestThatDeclaresFourBillionSegmentsTakesNoMemory) {
  BuiltPayload payload = Update(0.5f);
  StoreLittle<uint32_t>(0xffffffff, &payload.bytes[12]);
  payload.ref.id = Sha256(absl::string_view(payload.bytes).substr(0, payload.ref.manifest_size));
  const uint64_t before = PeakMemory(cluster_.server().pid());
  ExpectRefused(payload, absl::StatusCode::kInvalidArgument, "4294967295");
  EXPECT_LT(PeakMemory(cluster_.server().pid()) - before, kSomeMemory);
}

TEST_F(HostileClientTest, AManifestLargerThanItsPayloadIsRefusedAtTheDoor) {
  BuiltPayload payload = Update(0.5f);
  payload.ref.manifest_size = 0xffffffff;
  ExpectRefused(payload, absl::StatusCode::kInvalidArgument, "4294967295");
}

TEST_F(HostileClientTest, GarbageInsteadOfAPayloadIsRefused) {
  BuiltPayload payload;
  payload.bytes = std::string(3000, '\x5a');
  payload.ref = {Sha256(absl::string_view(payload.bytes).substr(0, 568)), 3000, 568};
  ExpectRefused(payload, absl::StatusCode::kInvalidArgument, "");
}

TEST_F(HostileClientTest, BytesThatDoNotMatchTheirNameAreRefusedAndMayBeSentAgainRight) {
  const BuiltPayload good = Update(0.001f);
  std::string damaged = good.bytes;
  damaged[100] = static_cast<char>(damaged[100] ^ 1);  // in the manifest
  EXPECT_THAT(bad_->Upload(bad_->HeaderFor(work_, good.ref), damaged), StatusIs(absl::StatusCode::kDataLoss));
  ASSERT_OK_AND_ASSIGN(const v1::UploadResponse sent, bad_->Upload(bad_->HeaderFor(work_, good.ref), good.bytes));
  ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse verdict, bad_->AwaitVerdict(work_.assignment_id(), good.ref.id));
  EXPECT_EQ(verdict.state(), v1::UPDATE_STATE_FOLDED) << verdict.reason();
}

TEST_F(HostileClientTest, MoreBytesThanThePlanAllowsAreRefusedBeforeTheyAreSent) {
  BuiltPayload payload = Update(0.5f);
  payload.ref.total_size = uint64_t{1} << 40;
  EXPECT_THAT(bad_->Upload(bad_->HeaderFor(work_, payload.ref), payload.bytes),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(HostileClientTest, TheSameUpdateSentTwiceCountsOnce) {
  const BuiltPayload payload = Update(0.001f);
  for (int time = 0; time < 2; ++time) {
    ASSERT_OK_AND_ASSIGN(const v1::UploadResponse sent,
                         bad_->Upload(bad_->HeaderFor(work_, payload.ref), payload.bytes));
    EXPECT_GE(sent.state(), v1::UPDATE_STATE_RECEIVED);
  }
  // Another payload for the same assignment changes nothing either: the first one wins.
  const BuiltPayload other = Update(0.002f);
  EXPECT_THAT(bad_->Upload(bad_->HeaderFor(work_, other.ref), other.bytes), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Status end, cluster_.AwaitEnd());
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::RoundSummary> rounds, cluster_.Rounds());
  EXPECT_EQ(rounds[0].counters().folded(), 2u);
  EXPECT_EQ(rounds[0].counters().invited(), 2u);
}

TEST_F(HostileClientTest, AnotherClientsAssignmentCannotBeAnswered) {
  RawClient eve(cluster_.federation_address(), "eve");
  ASSERT_THAT(eve.Join(nullptr), IsOk());
  const BuiltPayload payload = Update(0.5f);
  const absl::Status status = eve.Upload(eve.HeaderFor(work_, payload.ref), payload.bytes).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.code(), absl::StatusCode::kInternal) << status;
}

TEST_F(HostileClientTest, NonsenseInAnyFieldGetsAnErrorAndTheServerLives) {
  v1::JoinRequest request;
  request.set_client_id("../../etc/passwd");
  EXPECT_THAT(bad_->Join(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("client_id")));
  request.set_client_id("x");
  request.set_role(v1::CLIENT_ROLE_TRAINER);
  EXPECT_THAT(bad_->Join(request), StatusIs(absl::StatusCode::kUnimplemented));  // no wire version
  v1::UploadHeader header;
  header.set_client_id(bad_->id());
  header.set_assignment_id(std::string(5000, '/'));
  EXPECT_FALSE(bad_->Upload(header, "abc").ok());
  EXPECT_FALSE(bad_->UploadStatus("", Digest()).status().code() == absl::StatusCode::kInternal);
  EXPECT_FALSE(bad_->Download({Sha256("nothing"), 100, 88}).ok());
  EXPECT_THAT(bad_->Download(base_, uint64_t{1} << 60), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(cluster_.Status(), IsOk());
}

TEST_F(HostileClientTest, AnUploadInPiecesIsResumedAtTheOffsetTheServerNames) {
  const BuiltPayload payload = Update(0.001f);
  v1::UploadHeader header = bad_->HeaderFor(work_, payload.ref);
  const absl::string_view bytes(payload.bytes);
  EXPECT_FALSE(bad_->Upload(header, bytes.substr(0, 1000)).ok());  // half-closed too early
  ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse status,
                       bad_->UploadStatus(work_.assignment_id(), payload.ref.id));
  EXPECT_EQ(status.state(), v1::UPDATE_STATE_PARTIAL);
  ASSERT_EQ(status.received_bytes(), 1000u);
  header.set_offset(500);
  EXPECT_THAT(bad_->Upload(header, bytes.substr(500)), StatusIs(absl::StatusCode::kFailedPrecondition));
  header.set_offset(1000);
  EXPECT_THAT(bad_->Upload(header, bytes.substr(1000)), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string tail, bad_->Download(base_, base_.total_size - 10));
  EXPECT_EQ(tail.size(), 10u);
}

}  // namespace
}  // namespace thinwire
