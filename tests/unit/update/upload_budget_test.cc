// A budget is of payload_bits: of all that travels. Random models, budgets and methods; THINWIRE_BUDGET_CASES=N for
// more than the 200 of the suite.
#include "common/update/upload_budget.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "common/codec/frame.h"
#include "common/codec/update_frame.h"
#include "common/sketch/update_specs.h"
#include "common/tensor/model_state.h"
#include "gmock/gmock.h"
#include "tests/testing/temporary_directory.h"
#include "tests/unit/update/update_testing.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

ExchangePlan PlanOf(const std::string& text) { return BudgetPlan(*UpdatePlan::Parse(text)); }

// The whole payload of an update, as a client writes it.
absl::StatusOr<PayloadRef> Upload(const ExchangePlan& plan, const ModelSpec& model, const std::vector<float>& values,
                                  uint64_t bits, const std::string& path) {
  const ModelSpec spec = ReducedUpdateSpec(plan, model);
  const std::optional<uint64_t> room = UpdateRoom(spec, bits);
  if (!room.has_value()) return absl::OutOfRangeError("no room");
  const absl::StatusOr<std::string> bytes = CodeUpdate(*plan.update, UpdateLayout(model), values, *room, 3);
  if (!bytes.ok()) return bytes.status();
  const ModelState state(spec);
  ModelStateSource source(state);
  EncodeOptions options{Representation::kDelta, plan.uplink, Sha256("base")};
  options.update = &*bytes;
  return EncodePayload(spec, options, source, path);
}

ModelSpec RandomModel(RandomStream* random) {
  std::vector<TensorSpec> tensors;
  const uint64_t count = 1 + random->Below(5);
  for (uint64_t i = 0; i < count; ++i) {
    const auto rows = static_cast<int64_t>(1 + random->Below(60)),
               columns = static_cast<int64_t>(1 + random->Below(90));
    tensors.push_back({absl::StrCat("w", i), {rows, columns}, DataType::kFloat32, TensorRole::kTrainable});
    if (random->Below(3) == 0)
      tensors.push_back({absl::StrCat("b", i), {rows}, DataType::kFloat32, TensorRole::kBuffer});
    if (random->Below(5) == 0) tensors.push_back({absl::StrCat("n", i), {}, DataType::kInt64, TensorRole::kBuffer});
  }
  return *ModelSpec::Create(std::move(tensors));
}

TEST(UploadBudgetTest, NoUploadEverHasMoreBitsThanItsBudget) {
  int cases = 200;
  if (const char* const more = std::getenv("THINWIRE_BUDGET_CASES")) {
    ASSERT_TRUE(absl::SimpleAtoi(more, &cases));
  }
  const TemporaryDirectory folder;
  const std::vector<UpdatePlan> methods = AllMethods();
  RandomStream random(2024);
  int used = 0;
  for (int i = 0; i < cases; ++i) {
    const ModelSpec model = RandomModel(&random);
    ExchangePlan plan = BudgetPlan(methods[random.Below(methods.size())]);
    const uint64_t values = model.count(TensorRole::kTrainable), least = LeastUploadBits(plan, model);
    // From the least to about 8 bits a value above it, more often little.
    const double share = random.NextDouble();
    const uint64_t bits = least + static_cast<uint64_t>(share * share * share * 8 * static_cast<double>(values));
    plan.update->bits_per_parameter = 0;
    plan.update->bits = bits;
    ASSERT_THAT(CheckUploadFits(plan, model), IsOk());
    const std::vector<float> update = RandomValues(1000 + static_cast<uint64_t>(i), values);
    ASSERT_OK_AND_ASSIGN(const PayloadRef ref, Upload(plan, model, update, bits, folder.Path("u")));
    ASSERT_LE(ref.bits(), bits) << i << ": " << plan.Name();
    ASSERT_LE(ref.total_size, *MaxUploadSize(plan, ReducedUpdateSpec(plan, model)));
    if (plan.update->method != UpdateMethod::kRdu || plan.update->fast || values < 1024 || bits < least + 8 * 64)
      continue;
    ++used;
    const double room = static_cast<double>(bits - least) / 8;
    EXPECT_GE(static_cast<double>(ref.total_size), static_cast<double>(bits / 8) - std::max(32.0, 0.005 * room)) << i;
  }
  EXPECT_GT(used, cases / 30);
}

TEST(UploadBudgetTest, LongStringsPayForTheirPieces) {
  const ModelSpec model = *ModelSpec::Create({{"w", {900, 1000}, DataType::kFloat32, TensorRole::kTrainable}});
  const ModelSpec spec = ReducedUpdateSpec(PlanOf("sign:bits=9"), model);
  const uint64_t fixed = kManifestHeaderSize, piece = kManifestEntrySize + kFrameHeaderSize;
  const auto room = [&](uint64_t bytes) { return *UpdateRoom(spec, 8 * bytes); };
  EXPECT_EQ(UpdateRoom(spec, 8 * (fixed + piece) - 1), std::nullopt);
  EXPECT_EQ(room(fixed + piece), 0u);
  EXPECT_EQ(room(fixed + piece + kUpdatePieceSize), kUpdatePieceSize);
  EXPECT_EQ(room(fixed + 2 * piece + kUpdatePieceSize), kUpdatePieceSize);  // no piece without a byte
  EXPECT_EQ(room(fixed + 2 * piece + kUpdatePieceSize + 1), kUpdatePieceSize + 1);
  EXPECT_EQ(room(uint64_t{1} << 40), MaxUpdateStringSize(900'000));
  // A megabyte of EDEN is three pieces.
  const TemporaryDirectory folder;
  const ExchangePlan plan = PlanOf("eden:bits=8");
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref, Upload(plan, model, RandomValues(1, 900'000),
                                                    plan.update->BudgetBits(900'000), folder.Path("u")));
  EXPECT_EQ(ref.manifest_size, ManifestSize(2));
  EXPECT_LE(ref.bits(), 7'200'000u);
  EXPECT_GE(ref.bits(), 7'150'000u);
}

TEST(UploadBudgetTest, ABudgetForLessThanNothingNamesTheSmallestThatWorks) {
  const ModelSpec model = SmallNet();
  for (const UpdatePlan& method : AllMethods()) {
    ExchangePlan plan = BudgetPlan(method);
    const uint64_t least = LeastUploadBits(plan, model);
    plan.update->bits_per_parameter = 0;
    plan.update->bits = least;
    EXPECT_THAT(CheckUploadFits(plan, model), IsOk()) << plan.Name();
    plan.update->bits = least - 1;
    EXPECT_THAT(CheckUploadFits(plan, model),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(absl::StrCat("at least ", least))))
        << plan.Name();
  }
  // rdu: manifest of three segments, three headers, 16 floats of 6 bits with a scale, and an integer.
  EXPECT_EQ(LeastUploadBits(PlanOf("rdu:bits=1"), model), 8u * (88 + 3 * 64 + (8 + 1 + 12) + 8));
  const ModelSpec buffers = *ModelSpec::Create({{"mean", {16}, DataType::kFloat32, TensorRole::kBuffer}});
  EXPECT_THAT(CheckUploadFits(PlanOf("rdu:bits=1"), buffers),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model has 0")));
}

// Seven norms of 576 channels under 551,722 trained values, as a net for CIFAR-10 has them: their statistics exactly, a
// tensor each, would be 6,160 bytes of the 3,448 that there are.
TEST(UploadBudgetTest, ATwentiethOfABitHoldsAnUpdateOfANetWithNorms) {
  std::vector<TensorSpec> tensors = {{"w", {551'722}, DataType::kFloat32, TensorRole::kTrainable}};
  for (const int64_t channels : {32, 32, 64, 64, 128, 128, 128}) {
    const std::string name = absl::StrCat("norm", tensors.size());
    tensors.push_back({name + ".mean", {channels}, DataType::kFloat32, TensorRole::kBuffer});
    tensors.push_back({name + ".var", {channels}, DataType::kFloat32, TensorRole::kBuffer});
    tensors.push_back({name + ".steps", {}, DataType::kInt64, TensorRole::kBuffer});
  }
  const ModelSpec model = *ModelSpec::Create(std::move(tensors));
  const ExchangePlan plan = PlanOf("rdu:bits=0.05,fast");
  ASSERT_THAT(CheckUploadFits(plan, model), IsOk());
  EXPECT_EQ(LeastUploadBits(plan, model), 8u * (88 + 3 * 64 + (8 + 18 + 864) + 7 * 8));
  const uint64_t budget = plan.update->BudgetBits(551'722);
  EXPECT_GT(*UpdateRoom(ReducedUpdateSpec(plan, model), budget), budget / 8 * 6 / 10);
  const TemporaryDirectory folder;
  const std::vector<float> update = RandomValues(6, 551'722);
  ASSERT_OK_AND_ASSIGN(const PayloadRef ref, Upload(plan, model, update, budget, folder.Path("u")));
  EXPECT_LE(ref.bits(), budget);
  EXPECT_GE(ref.bits(), budget - 8 * 100);
}

TEST(UploadBudgetTest, WithoutABudgetUploadsAreAsLargeAsTheirCodecMakesThem) {
  const ModelSpec model = SmallNet();
  EXPECT_EQ(*MaxUploadSize(Fp32Plan(), model), *MaxPayloadSize(model, Representation::kDelta, CodecSpec::Fp32()));
  const ExchangePlan plan = PlanOf("rdu:bits=2");
  EXPECT_EQ(*MaxUploadSize(plan, ReducedUpdateSpec(plan, model)), 5249u * 2 / 8);
}

TEST(UploadBudgetTest, WhereLinksAreMeasuredEachIsGrantedWhatItsOwnCarries) {
  const ModelSpec model = SmallNet();
  const uint64_t values = model.count(TensorRole::kTrainable);
  const ExchangePlan plan = PlanOf("rdu:link=10kbit,within=2s,measured");
  EXPECT_EQ(GrantedBits(plan, model, 0), 20'000u);
  EXPECT_EQ(GrantedBits(plan, model, 4'000), 8'000u);
  EXPECT_EQ(GrantedBits(plan, model, 1), LeastUploadBits(plan, model));
  EXPECT_EQ(GrantedBits(plan, model, ~uint64_t{0}), 32 * values);
  EXPECT_EQ(GrantedBits(PlanOf("rdu:link=10kbit,within=2s"), model, 4'000), 20'000u);
  EXPECT_EQ(GrantedBits(PlanOf("rdu:bits=1"), model, 4'000), values);
  // Nobody knows what the fastest link will carry: uploads may be as large as they get.
  const ModelSpec spec = ReducedUpdateSpec(plan, model);
  EXPECT_GT(*MaxUploadSize(plan, spec), 4 * values);
  EXPECT_EQ(*MaxUploadSize(PlanOf("rdu:link=10kbit,within=2s"), spec), 2500u);
}

TEST(UploadBudgetTest, InASubspaceTheParametersAreTheCoordinatesThatAClientSends) {
  const ModelSpec model = SmallNet();
  ExchangePlan plan = PlanOf("rdu:bits=4");
  plan.subspace = *SubspacePlan::Parse("d=1000,k=3");
  ASSERT_THAT(plan.Validate(), IsOk());
  EXPECT_THAT(CheckUploadFits(plan, model), IsOk());
  const ModelSpec coded = CodedModel(plan, model), spec = ReducedUpdateSpec(plan, coded);
  EXPECT_EQ(coded.count(TensorRole::kTrainable), 1000u);
  EXPECT_EQ(spec.tensors().size(), 3u);  // and the buffers
  EXPECT_EQ(UpdateTensorValues(spec.tensors()[0]), 1000u);
  EXPECT_EQ(*MaxUploadSize(plan, spec), 500u);
  plan.update->bits_per_parameter = 1;
  EXPECT_THAT(CheckUploadFits(plan, model),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("parameter of 1000")));
  plan.subspace->dimension = 6000;
  EXPECT_THAT(CheckUploadFits(plan, model), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("6000")));
}

}  // namespace
}  // namespace thinwire
