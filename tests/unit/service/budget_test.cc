// A budget of bits at a real server: what is over it is refused before it is read, hostile strings fail the update by
// name, and lawful ones of either codec make the version.
#include <gmock/gmock.h>

#include <limits>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/sketch/update_specs.h"
#include "common/update/update_coder.h"
#include "common/update/upload_budget.h"
#include "common/wire/convert.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kBits = 40'000;
constexpr char kPlan[] = R"(plan { explicit { downlink { value { fp32 {} } }
  uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits: 40000 rdu {} } } } }
)";

class BudgetTest : public ServerFixture {
 protected:
  // Buffers as they are in the initial model: differences of 0.
  PayloadBytes Coded(CodecId codec, const std::string& bytes, const v1::Assignment& assignment) {
    const ModelSpec spec = ReducedUpdateSpec(BudgetPlan(DefaultRdu()), SmallModel());
    const ModelState state(spec);
    ModelStateSource source(state);
    EncodeOptions options{Representation::kDelta, CodecSpec::Update(codec),
                          *Digest::FromBytes(assignment.model().payload_id())};
    options.update = &bytes;
    const std::string path = directory_.Path(absl::StrCat(assignment.assignment_id(), ".payload"));
    PayloadBytes payload;
    payload.ref = EncodePayload(spec, options, source, path).value();
    payload.bytes = ReadWholeFile(path, payload.ref.total_size).value();
    return payload;
  }
  static std::vector<float> Values() {
    RandomStream random(8);
    std::vector<float> values(70'003);
    for (float& value : values) value = static_cast<float>(random.NextDouble() - 0.5);
    return values;
  }
  static std::string Code(const char* plan, uint64_t bytes) {
    return CodeUpdate(*UpdatePlan::Parse(plan), UpdateLayout(SmallModel()), Values(), bytes, 1).value();
  }
};

TEST_F(BudgetTest, WhatIsOverTheBudgetIsRefusedBeforeItIsRead) {
  Start(kPlan);
  TestClient a = Client("a");
  ASSERT_OK_AND_ASSIGN(const v1::JoinResponse joined, a.Join());
  EXPECT_EQ(joined.limits().max_payload_bytes(), kBits / 8);
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  const ModelSpec spec = ReducedUpdateSpec(BudgetPlan(DefaultRdu()), SmallModel());
  const uint64_t room = *UpdateRoom(spec, kBits);
  const PayloadBytes over = Coded(CodecId::kRdu, std::string(room + 1, 'x'), work);
  EXPECT_EQ(over.ref.total_size, kBits / 8 + 1);
  EXPECT_THAT(a.Upload(work, over),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("this run's plan allows at most 5000")));
  ASSERT_OK_AND_ASSIGN(const v1::Assignment again, a.AwaitWork());
  const std::string bytes = Code("rdu:bits=1", room);
  EXPECT_GE(bytes.size(), room - 32);
  ASSERT_THAT(a.Upload(again, Coded(CodecId::kRdu, bytes, again)), IsOk());
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  ASSERT_OK_AND_ASSIGN(const ModelState exported, Export());
  const UpdateLayout layout(SmallModel());
  ASSERT_THAT(DecodeUpdateString(CodecId::kRdu, bytes, layout,
                                 [&](const UpdateLayout::Tensor& tensor, absl::Span<float> values) {
                                   for (size_t i = 0; i < values.size(); ++i) {
                                     EXPECT_NEAR(exported.floats[tensor.index][i], 1 + values[i], 1e-6);
                                   }
                                   return absl::OkStatus();
                                 }),
              IsOk());
  EXPECT_EQ(exported.floats[2][0], 1);
}

TEST_F(BudgetTest, EachClientIsGrantedWhatItsLinkCarriesAndHeldToItAcrossARestart) {
  const std::string config = R"(plan { explicit { downlink { value { fp32 {} } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA
             update { link { bits_per_second: 20000 time { seconds: 2 } measured: true } rdu {} } } } }
    round { clients: 2 min_updates: 1 })";
  Start(config);
  v1::Assignment slow_work, fast_work;
  {
    TestClient slow = Client("slow"), fast = Client("fast");
    slow.uplink_bits_per_second = 5000;
    ASSERT_THAT(slow.Join(), IsOk());
    ASSERT_THAT(fast.Join(), IsOk());
    AwaitBoth(&slow, &fast, &slow_work, &fast_work);
  }
  EXPECT_EQ(slow_work.upload_bits(), 10'000u);
  EXPECT_EQ(fast_work.upload_bits(), 40'000u);  // nothing is known of it
  Stop();

  Start(config);
  TestClient slow = Client("slow"), fast = Client("fast");
  slow.uplink_bits_per_second = 1;
  ASSERT_THAT(slow.Join(), IsOk());
  ASSERT_THAT(fast.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment same, slow.AwaitWork());
  EXPECT_EQ(same.assignment_id(), slow_work.assignment_id());
  EXPECT_EQ(same.upload_bits(), 10'000u);
  const ModelSpec spec = ReducedUpdateSpec(BudgetPlan(DefaultRdu()), SmallModel());
  const PayloadBytes large = Coded(CodecId::kRdu, Code("rdu:bits=1", *UpdateRoom(spec, 40'000)), fast_work);
  v1::UploadHeader header = fast.Header(fast_work, large.ref);
  header.mutable_coding()->set_distortion(0.25);
  header.mutable_coding()->mutable_time()->set_seconds(3);
  ASSERT_THAT(fast.Upload(header, large.bytes, large.bytes.size()), IsOk());
  EXPECT_THAT(slow.Upload(same, large),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most 1250 in this assignment")));
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  const v1::UploadSummary uploads = ListRounds().rounds(0).uploads();
  EXPECT_EQ(uploads.updates(), 1u);
  EXPECT_EQ(uploads.payload_bits(), large.ref.bits());
  EXPECT_EQ(uploads.granted_bits(), 40'000u);
  EXPECT_NEAR(uploads.bits_per_parameter(), static_cast<double>(uploads.payload_bits()) / 70'003, 1e-9);
  EXPECT_EQ(uploads.distortion(), 0.25);
  EXPECT_EQ(uploads.encode_time().seconds(), 3);
  EXPECT_FALSE(uploads.has_weighted_distortion());
  EXPECT_THAT(HttpGet("/metrics"), AllOf(HasSubstr("thinwire_update_granted_bytes_total 5000"),
                                         HasSubstr("thinwire_update_distortion 0.25")));
}

// What a client says of its coding, and what its bits gained, are in the list of clients and on the page of metrics.
TEST_F(BudgetTest, WhatAnUpdateLostAndGainedIsToldOfItsClientAndGraphed) {
  Start(absl::StrCat(kPlan, "evaluation { every: 1 } run { rounds: 1 }"));
  TestClient e = Client("e"), a = Client("a");
  ASSERT_THAT(e.JoinAsEvaluator(), IsOk());
  const auto evaluate = [&e](double accuracy) {
    ASSERT_OK_AND_ASSIGN(const v1::Assignment work, e.AwaitWork());
    ASSERT_THAT(e.ReportEvaluation(work.assignment_id(), accuracy, 1), IsOk());
  };
  evaluate(0.25);
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  const PayloadBytes payload = Coded(CodecId::kRdu, Code("rdu:bits=1", 1000), work);
  v1::UploadHeader header = a.Header(work, payload.ref);
  header.mutable_coding()->set_distortion(0.5);
  header.mutable_coding()->set_weighted_distortion(0.125);
  header.mutable_coding()->set_unsent_norm(7);
  header.mutable_coding()->mutable_time()->set_seconds(3);
  ASSERT_THAT(a.Upload(header, payload.bytes, payload.bytes.size()), IsOk());
  const v1::ClientSummary client = ListClients().clients(0);
  EXPECT_EQ(client.client_id(), "a");
  EXPECT_NEAR(client.bits_per_parameter(), static_cast<double>(payload.ref.bits()) / 70'003, 1e-9);
  EXPECT_EQ(client.distortion(), 0.5);
  EXPECT_EQ(client.weighted_distortion(), 0.125);
  EXPECT_EQ(client.unsent_norm(), 7);
  EXPECT_EQ(client.encode_time().seconds(), 3);
  evaluate(0.75);
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  const double gained = ListRounds().rounds(0).uploads().accuracy_per_megabit();
  EXPECT_NEAR(gained, 0.5 / (static_cast<double>(payload.ref.bits()) / 1e6), 1e-9);
  const std::string page = HttpGet("/metrics");
  EXPECT_THAT(
      page,
      AllOf(HasSubstr("thinwire_update_weighted_distortion 0.125"), HasSubstr("thinwire_update_unsent_norm 7"),
            HasSubstr("thinwire_update_encode_seconds_total 3"), HasSubstr("\nthinwire_update_decode_seconds_total ")));
  EXPECT_THAT(page, HasSubstr(absl::StrCat("\nthinwire_accuracy_per_megabit ", gained).substr(0, 34)));
}

TEST_F(BudgetTest, AReportOfCodingThatIsNoNumberIsRefused) {
  Start(kPlan);
  TestClient a = Client("a");
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  const PayloadBytes payload = Coded(CodecId::kRdu, Code("rdu:bits=1", 1000), work);
  v1::UploadHeader header = a.Header(work, payload.ref);
  header.mutable_coding()->set_unsent_norm(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(a.Upload(header, payload.bytes, payload.bytes.size()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("coding.unsent_norm is nan")));
}

TEST_F(BudgetTest, HostileStringsFailTheUpdateAndTheRunGoesOn) {
  Start(absl::StrCat(kPlan, "round { clients: 1 }"));
  const std::string eden = Code("eden:bits=1", 4000);
  const std::pair<CodecId, std::string> hostile[] = {
      {CodecId::kRdu, std::string("\x01\x00\x30", 3) + std::string(4000, '\xff')},
      {CodecId::kQuantized, eden.substr(0, 2000)}};
  int number = 0;
  for (const auto& [codec, bytes] : hostile) {
    TestClient client = Client(absl::StrCat("hostile-", number++));
    ASSERT_THAT(client.Join(), IsOk());
    ASSERT_OK_AND_ASSIGN(const v1::Assignment work, client.AwaitWork());
    const PayloadBytes payload = Coded(codec, bytes, work);
    (void)client.Upload(work, payload);
    for (;;) {
      ASSERT_OK_AND_ASSIGN(const v1::UploadStatusResponse status,
                           client.UploadStatus(work.assignment_id(), payload.ref.id));
      if (status.state() == v1::UPDATE_STATE_RECEIVED) continue;
      EXPECT_EQ(status.state(), v1::UPDATE_STATE_FAILED) << status.ShortDebugString();
      EXPECT_GT(status.reason().size(), 20u);
      break;
    }
    ASSERT_THAT(client.Leave(), IsOk());
  }
  TestClient good = Client("good");
  ASSERT_THAT(good.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, good.AwaitWork());
  ASSERT_THAT(good.Upload(work, Coded(CodecId::kQuantized, eden, work)), IsOk());
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
}

TEST_F(BudgetTest, AModelThatTheBudgetHoldsNothingOfIsRefusedAtTheStart) {
  const absl::Status status = TryStart(R"(plan { explicit { downlink { value { fp32 {} } }
    uplink { representation: UPLINK_REPRESENTATION_DELTA update { bits_per_parameter: 0.9 sign {} } } } })");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("sign of this model takes at least 7"), HasSubstr("a parameter of 70003")));
}

TEST_F(BudgetTest, AClientThatLacksTheCodecIsToldWhich) {
  Start(kPlan);
  TestClient a = Client("a");
  v1::JoinRequest request = a.JoinRequest();
  request.clear_codecs();
  for (const v1::CodecKind kind : {v1::CODEC_KIND_FP32, v1::CODEC_KIND_INT64}) request.add_codecs(kind);
  EXPECT_THAT(a.Join(request), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("CODEC_KIND_RDU")));
}

}  // namespace
}  // namespace thinwire
