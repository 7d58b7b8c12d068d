// Online model compression through a real server: clients start from different variants of a version, and the server
// folds what each of them sends against the variant that it had.
#include <gmock/gmock.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/session/update_encoder.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/tensor/safetensors.h"
#include "common/wire/convert.h"
#include "server/service/downlink_variant.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/service/server_fixture.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kRunSeed = 3;  // ServerFixture's
constexpr char kOmc[] = "plan { preset: PLAN_PRESET_OMC }\n";
// As the preset, but clients send the model that they have trained.
constexpr char kOmcModelUp[] = R"(plan { explicit {
  downlink { value { float_blocks { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO
                                    weights_only: true partial: 0.1 } } }
  uplink { representation: UPLINK_REPRESENTATION_MODEL
           value { float_blocks { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO
                                  weights_only: true partial: 0.1 } } } } }
)";
constexpr char kOmcDownFp32Up[] = R"(plan { explicit {
  downlink { value { float_blocks { exponent_bits: 3 mantissa_bits: 7 scale: SCALE_RULE_POWER_OF_TWO
                                    weights_only: true partial: 0.1 } } }
  uplink { representation: UPLINK_REPRESENTATION_MODEL value { fp32 {} } } } }
)";

// 17 full row blocks and a short one in two tensors, and what no codec touches.
ModelSpec MatrixModel() {
  return *ModelSpec::Create({{"w", {260, 256}, DataType::kFloat32, TensorRole::kTrainable},
                             {"v", {32, 128}, DataType::kFloat32, TensorRole::kTrainable},
                             {"b", {300}, DataType::kFloat32, TensorRole::kTrainable},
                             {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                             {"steps", {}, DataType::kInt64, TensorRole::kBuffer}});
}

// Multiples of 2^-16 below 1: S1E3M7 changes them, and sums with them are exact.
ModelState Initial() {
  ModelState state(MatrixModel());
  RandomStream random(11);
  for (auto& floats : state.floats) {
    for (float& value : floats) value = (static_cast<float>(random.Below(131072)) - 65536) * 0x1p-16f;
  }
  for (auto& ints : state.ints) std::fill(ints.begin(), ints.end(), 5);
  return state;
}

uint32_t VariantOf(const std::string& client, uint32_t round = 1) {
  return DownlinkVariant(kRunSeed, WorkKind::kTrain, round, client, 10);
}

// Two names whose variants of round 1 differ, none of them variant 0, which every version has from the start.
std::pair<std::string, std::string> ClientsOfDifferentVariants() {
  std::string first;
  for (int i = 0;; ++i) {
    const std::string name = absl::StrCat("client-", i);
    if (VariantOf(name) == 0) continue;
    if (first.empty()) {
      first = name;
    } else if (VariantOf(name) != VariantOf(first)) {
      return {first, name};
    }
  }
}

class OmcTest : public ServerFixture {
 protected:
  OmcTest() {
    const std::string file = directory_.Path("matrices.safetensors");
    ModelStateSource source(initial_);
    EXPECT_THAT(WriteSafetensors(file, initial_.spec, source), IsOk());
    model_config_ = absl::StrCat("safetensors: \"", file, "\"");
    std::tie(a_, b_) = ClientsOfDifferentVariants();
  }

  // R of a client, open; its values are in *state.
  PayloadReader Fetch(TestClient* client, const v1::Assignment& work, ModelState* state) {
    const absl::StatusOr<std::string> bytes = client->Download(work.model());
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    const std::string path = directory_.Path(absl::StrCat("r-", client->id()));
    EXPECT_THAT(WriteFileAtomically(path, *bytes), IsOk());
    absl::StatusOr<PayloadReader> reader = PayloadReader::Open(path, *FromProto(work.model()), initial_.spec);
    EXPECT_TRUE(reader.ok()) << reader.status();
    *state = ModelState(initial_.spec);
    PayloadSource source(*reader);
    for (uint32_t t = 0; t < state->floats.size(); ++t) {
      EXPECT_THAT(source.ReadFloats(t, 0, absl::MakeSpan(state->floats[t])), IsOk());
      if (!state->ints[t].empty()) {
        EXPECT_THAT(source.ReadInts(t, 0, absl::MakeSpan(state->ints[t])), IsOk());
      }
    }
    return *std::move(reader);
  }

  // Sends R moved by `move` in every trainable value, by the plan, as a client's session does.
  void Send(TestClient* client, const v1::Assignment& work, const std::string& plan_text, float move) {
    ModelState state;
    const PayloadReader base = Fetch(client, work, &state);
    for (uint32_t t = 0; t < state.floats.size(); ++t) {
      if (state.spec.tensors()[t].role != TensorRole::kTrainable) continue;
      for (float& value : state.floats[t]) value += move;
    }
    PayloadBytes update;
    ModelStateSource source(state);
    const std::string path = directory_.Path(absl::StrCat("u-", client->id()));
    update.ref = EncodeUpdate(PlanOf(plan_text), state.spec, source, base, work.seed(), path).value();
    update.bytes = *ReadWholeFile(path, update.ref.total_size);
    ASSERT_OK_AND_ASSIGN(const v1::UploadResponse receipt, client->Upload(work, update));
    ASSERT_EQ(receipt.state(), v1::UPDATE_STATE_RECEIVED) << receipt.reason();
  }

  static ExchangePlan PlanOf(const std::string& text) {
    if (text == kOmc) return OmcPlan();
    ExchangePlan plan = OmcPlan();
    plan.uplink_representation = Representation::kModel;
    if (text == kOmcDownFp32Up) plan.uplink = CodecSpec::Fp32();
    return plan;
  }

  // Every trainable value has moved by `move`, nothing else has.
  void ExpectMoved(const ModelState& model, float move) {
    for (uint32_t t = 0; t < model.floats.size(); ++t) {
      const bool trainable = model.spec.tensors()[t].role == TensorRole::kTrainable;
      std::vector<float> expected = initial_.floats[t];
      for (float& value : expected) value += trainable ? move : 0;
      EXPECT_EQ(model.floats[t], expected) << model.spec.tensors()[t].name;
    }
  }

  // A round of clients that move by 0.25, 0.5 and 0.375: their mean and their median are 0.375.
  void ThreeClientsMove(const std::string& plan, const std::string& more) {
    Start(plan + more + "round { clients: 3 }");
    TestClient a = Client(a_), b = Client(b_), c = Client("third");
    for (TestClient* client : {&a, &b, &c}) ASSERT_THAT(client->Join(), IsOk());
    v1::Assignment work_a, work_b;
    absl::StatusOr<v1::Assignment> third = absl::InternalError("none");
    std::thread waiting([&] { third = c.AwaitWork(); });
    AwaitBoth(&a, &b, &work_a, &work_b);
    waiting.join();
    ASSERT_THAT(third, IsOk());
    ASSERT_NE(work_a.model().payload_id(), work_b.model().payload_id());
    Send(&a, work_a, plan, 0.25f);
    Send(&b, work_b, plan, 0.5f);
    Send(&c, *third, plan, 0.375f);
    WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
    ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
    ExpectMoved(model, 0.375f);
  }

  const ModelState initial_ = Initial();
  std::string a_, b_;
};

TEST_F(OmcTest, ClientsOfDifferentVariantsFoldToTheExactModel) { ThreeClientsMove(kOmcDownFp32Up, ""); }

TEST_F(OmcTest, SoTheyDoWithAMedian) { ThreeClientsMove(kOmcDownFp32Up, "aggregation { median {} }\n"); }

TEST_F(OmcTest, SoTheyDoWithDeltasAsSmallFloats) { ThreeClientsMove(kOmc, ""); }

TEST_F(OmcTest, EachClientsModelHasOtherExactRowBlocks) {
  Start(std::string(kOmc) + "round { clients: 2 }");
  TestClient a = Client(a_), b = Client(b_);
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  v1::Assignment work_a, work_b;
  AwaitBoth(&a, &b, &work_a, &work_b);
  ModelState r_a, r_b;
  const PayloadReader base_a = Fetch(&a, work_a, &r_a);
  const PayloadReader base_b = Fetch(&b, work_b, &r_b);
  ASSERT_OK_AND_ASSIGN(const RowBlockSet exact_a, ExactRowBlocks(initial_.spec, base_a));
  ASSERT_OK_AND_ASSIGN(const RowBlockSet exact_b, ExactRowBlocks(initial_.spec, base_b));
  int of_a = 0, of_b = 0;
  for (const uint32_t t : {0u, 1u}) {
    for (uint64_t i = 0; i < RowBlockCount(initial_.floats[t].size()); ++i) {
      EXPECT_FALSE(exact_a.Has(t, i) && exact_b.Has(t, i));
      of_a += exact_a.Has(t, i);
      of_b += exact_b.Has(t, i);
      const size_t first = i * kRowBlockValues;
      EXPECT_EQ(r_a.floats[t][first] == initial_.floats[t][first] &&
                    r_a.floats[t][first + 1] == initial_.floats[t][first + 1] &&
                    r_a.floats[t][first + 2] == initial_.floats[t][first + 2],
                exact_a.Has(t, i));
    }
  }
  EXPECT_GE(of_a, 1);
  EXPECT_GE(of_b, 1);
  EXPECT_EQ(r_a.floats[2], initial_.floats[2]);  // a bias
  EXPECT_EQ(r_a.floats[3], initial_.floats[3]);
}

TEST_F(OmcTest, ClientsThatDoNotMoveLeaveEveryBitOfTheModel) {
  for (const char* plan : {kOmc, kOmcModelUp}) {
    Start(std::string(plan) + "round { clients: 2 } storage { directory: '" +
          directory_.Path(absl::StrCat("state-", plan == kOmc)) + "' }");
    TestClient a = Client(a_), b = Client(b_);
    ASSERT_THAT(a.Join(), IsOk());
    ASSERT_THAT(b.Join(), IsOk());
    v1::Assignment work_a, work_b;
    AwaitBoth(&a, &b, &work_a, &work_b);
    Send(&a, work_a, plan, 0);
    Send(&b, work_b, plan, 0);
    WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
    ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
    EXPECT_EQ(model.floats, initial_.floats);
    Stop();
  }
}

TEST_F(OmcTest, AfterARestartInMidRoundVariantsAreTheSameBytes) {
  const std::string config = std::string(kOmcDownFp32Up) + "round { clients: 2 }";
  Start(config);
  v1::Assignment work_a, work_b;
  std::string model_b;
  {
    TestClient a = Client(a_), b = Client(b_);
    ASSERT_THAT(a.Join(), IsOk());
    ASSERT_THAT(b.Join(), IsOk());
    AwaitBoth(&a, &b, &work_a, &work_b);
    ASSERT_OK_AND_ASSIGN(model_b, b.Download(work_b.model()));
    Send(&a, work_a, kOmcDownFp32Up, 0.25f);
    WaitFor([](const v1::Status& s) { return s.counters().folded() == 1; });
  }
  Stop();

  Start(config);
  WaitFor([](const v1::Status& s) { return s.counters().folded() == 1; });  // a's, against its variant made again
  TestClient b = Client(b_);
  ASSERT_THAT(b.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment same, b.AwaitWork());
  EXPECT_EQ(same.model().payload_id(), work_b.model().payload_id());
  ASSERT_OK_AND_ASSIGN(const std::string rest, b.Download(same.model(), 1000));
  EXPECT_EQ(rest, model_b.substr(1000));
  Send(&b, same, kOmcDownFp32Up, 0.5f);
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
  ASSERT_OK_AND_ASSIGN(const ModelState model, Export());
  ExpectMoved(model, 0.375f);
}

TEST_F(OmcTest, AVariantThatCannotBeStoredCostsItsClientNothing) {
  Start(std::string(kOmc) + "round { clients: 1 }");
  // A folder where the file is to be: nothing else can be made there until it goes.
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> payloads, ListDirectory(directory_.Path("state/payloads")));
  ASSERT_EQ(payloads.size(), 1u);
  const std::string blocked = directory_.Path(
      absl::StrCat("state/payloads/", absl::StripSuffix(payloads[0], ".payload"), ".", VariantOf(a_), ".payload"));
  ASSERT_THAT(MakeDirectories(blocked), IsOk());
  TestClient a = Client(a_);
  ASSERT_THAT(a.Join(), IsOk());
  for (uint64_t tries = 1; tries <= 2; ++tries) {
    ASSERT_OK_AND_ASSIGN(const v1::AwaitAssignmentResponse answer, a.Await());
    EXPECT_THAT(answer.come_back().waiting_for(), HasSubstr(blocked)) << answer.ShortDebugString();
    EXPECT_GT(answer.come_back().retry().max().seconds(), 0);
    const v1::Status status = WaitFor(
        [tries](const v1::Status& now) { return now.refusals_size() == 1 && now.refusals(0).count() == tries; });
    EXPECT_EQ(status.refusals(0).reason(), "no payload");
    EXPECT_EQ(status.counters().training(), 1u);
    EXPECT_EQ(status.counters().failed(), 0u);
  }
  ASSERT_EQ(::rmdir(blocked.c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  Send(&a, work, kOmc, 0.25f);
  WaitFor([](const v1::Status& s) { return s.state() == v1::RUN_STATE_COMPLETED; });
}

TEST_F(OmcTest, AnUpdateThatNamesAnotherClientsVariantIsRefused) {
  Start(std::string(kOmc) + "round { clients: 2 min_updates: 1 }");
  TestClient a = Client(a_), b = Client(b_);
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_THAT(b.Join(), IsOk());
  v1::Assignment work_a, work_b;
  AwaitBoth(&a, &b, &work_a, &work_b);
  v1::Assignment mixed = work_a;
  *mixed.mutable_model() = work_b.model();
  ASSERT_OK_AND_ASSIGN(const std::string any, a.Download(work_b.model()));
  Send(&a, mixed, kOmc, 0.25f);
  const v1::Status status = WaitFor([](const v1::Status& s) { return s.counters().failed() == 1; });
  EXPECT_EQ(status.refusals(0).reason(), "bad update");
}

TEST_F(OmcTest, EvaluatorsAllMeasureTheSameModel) {
  Start(std::string(kOmc) + "round { clients: 1 } evaluation { every: 1 } run { rounds: 1 }");
  TestClient e = Client("eva"), f = Client("finn");
  ASSERT_THAT(e.JoinAsEvaluator(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment first, e.AwaitWork());
  ASSERT_THAT(e.ReportFailure(first.assignment_id(), "test"), IsOk());
  ASSERT_THAT(f.JoinAsEvaluator(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment second, f.AwaitWork());
  EXPECT_EQ(first.model().payload_id(), second.model().payload_id());
}

std::string PlanThatNames(const std::string& tensor) {
  const std::string value = absl::StrCat("value { float_blocks { exponent_bits: 3 mantissa_bits: 7 ",
                                         "scale: SCALE_RULE_POWER_OF_TWO fp32_tensors: '", tensor, "' } }");
  return absl::StrCat("plan { explicit { downlink { ", value, " } uplink { ",
                      "representation: UPLINK_REPRESENTATION_DELTA ", value, " } } }\n");
}

TEST_F(OmcTest, ATensorThatThePlanNamesIsExact) {
  Start(PlanThatNames("w"));
  TestClient a = Client(a_);
  ASSERT_THAT(a.Join(), IsOk());
  ASSERT_OK_AND_ASSIGN(const v1::Assignment work, a.AwaitWork());
  ModelState r;
  Fetch(&a, work, &r);
  EXPECT_EQ(r.floats[0], initial_.floats[0]);
  EXPECT_NE(r.floats[1], initial_.floats[1]);
}

TEST_F(OmcTest, APlanThatNamesATensorThatIsNotThereIsRefusedAtTheStart) {
  EXPECT_THAT(TryStart(PlanThatNames("encoder.0")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("fp32_tensors names 'encoder.0'")));
  Start(PlanThatNames("w"));  // corrected
}

TEST_F(OmcTest, AModelThatAClientBringsMustHaveTheTensorsThatThePlanNames) {
  model_config_ = "from_client_seed: 5";
  Start(PlanThatNames("encoder.0"));
  TestClient a = Client(a_);
  v1::JoinRequest request = a.JoinRequest();
  *request.mutable_model() = ToProto(MatrixModel());
  EXPECT_THAT(a.Join(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("'encoder.0'")));
}

TEST_F(OmcTest, ClientsWithoutTheCodecAreToldWhatTheyLack) {
  Start(kOmc);
  TestClient old = Client("old");
  v1::JoinRequest request = old.JoinRequest();
  request.clear_codecs();
  for (const auto kind : {v1::CODEC_KIND_FP32, v1::CODEC_KIND_FLOAT, v1::CODEC_KIND_INT64}) request.add_codecs(kind);
  EXPECT_THAT(old.Join(request), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("CODEC_KIND_FLOAT_BLOCKS")));
  request.clear_codecs();
  for (const auto kind : {v1::CODEC_KIND_FLOAT_BLOCKS, v1::CODEC_KIND_INT64}) request.add_codecs(kind);
  EXPECT_THAT(old.Join(request), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("CODEC_KIND_FP32")));
}

}  // namespace
}  // namespace thinwire
