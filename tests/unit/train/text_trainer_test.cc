#include "client/train/text_trainer.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/text/characters.h"
#include "client/train/text_model_options.h"
#include "common/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/train/torch_testing.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Sentences of 3 to 8 words out of ten; those with word 2 in them are positive.
TextData Sentences(size_t count, uint64_t seed) {
  TextData data;
  data.symbols = 12;
  data.classes = 2;
  data.table = "words_0";
  RandomStream random(seed);
  for (size_t i = 0; i < count; ++i) {
    TextSample sample;
    sample.label = static_cast<uint8_t>(i % 2);
    for (size_t k = 0; k < 3 + i % 6; ++k) sample.symbols.push_back(static_cast<uint16_t>(3 + random.Below(9)));
    if (sample.label == 1) sample.symbols[random.Below(sample.symbols.size())] = 2;
    data.samples.push_back(std::move(sample));
  }
  return data;
}

// Windows of a text in which each letter but the first of a word follows from the one before.
TextData Windows(size_t count, uint64_t seed) {
  RoleFile file;
  file.roles.push_back({"play", "role", {}});
  RandomStream random(seed);
  std::string text;
  const char* const words[] = {"abc ", "defg ", "hi "};
  while (text.size() < count * kWindowCharacters) text += words[random.Below(3)];
  file.roles[0].speeches = {text.substr(0, count * kWindowCharacters - 30)};
  return WindowData(file, RolePart::kTraining);
}

TextData Some(TextData::Kind kind, size_t count, uint64_t seed) {
  return kind == TextData::Kind::kSentences ? Sentences(count, seed) : Windows(count, seed);
}

std::unique_ptr<TextTrainer> Make(TextData train, TextData test, TextTrainerOptions options = {}) {
  auto trainer = MakeTextTrainer(options, std::move(train), std::move(test));
  EXPECT_THAT(trainer, IsOk());
  return trainer.ok() ? *std::move(trainer) : nullptr;
}

TrainRequest SgdRequest(double rate, uint32_t steps, uint64_t seed = 1) {
  TrainRequest request = Request(rate, steps, seed);
  request.options.batch_size = 8;
  request.options.momentum = 0.9;
  return request;
}

TEST(TextTrainer, LearnsToTellSentencesApart) {
  const auto trainer = Make(Sentences(200, 1), Sentences(60, 2));
  ModelState state = trainer->Initialize(1).value();
  EXPECT_NEAR(trainer->Evaluate(state)->loss, std::log(2), 0.3);
  const auto trained = trainer->Train(SgdRequest(0.02, 150), &state);
  ASSERT_THAT(trained, IsOk());
  EXPECT_EQ(trained->examples, 200u);
  const EvaluateResult after = trainer->Evaluate(state).value();
  EXPECT_EQ(after.examples, 60u);
  EXPECT_GT(after.accuracy, 0.9);
  EXPECT_LT(after.loss, 0.3);
}

// One character in three or so cannot be known: log(3) nats each for the first letters of words.
TEST(TextTrainer, LearnsToPredictCharacters) {
  const auto trainer = Make(Windows(60, 1), Windows(10, 2));
  ModelState state = trainer->Initialize(1).value();
  EXPECT_NEAR(trainer->Evaluate(state)->loss, std::log(kCharacterSymbols), 0.5);
  ASSERT_THAT(trainer->Train(SgdRequest(0.05, 120), &state), IsOk());
  const EvaluateResult after = trainer->Evaluate(state).value();
  EXPECT_EQ(after.examples, 10u);
  EXPECT_GT(after.accuracy, 0.7);
  EXPECT_GT(after.loss, 0.2);
  EXPECT_LT(after.loss, 0.7);
}

class TextTrainerTest : public ::testing::TestWithParam<TextData::Kind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, TextTrainerTest,
                         ::testing::Values(TextData::Kind::kSentences, TextData::Kind::kCharacters));

TEST_P(TextTrainerTest, SameSeedGivesSameBitsAndAnotherSeedDoesNot) {
  const auto trainer = Make(Some(GetParam(), 20, 1), {});
  const ModelState start = trainer->Initialize(1).value();
  ModelState a = start, b = start, c = start;
  ASSERT_THAT(trainer->Train(SgdRequest(0.01, 3, 7), &a), IsOk());
  ASSERT_THAT(trainer->Train(SgdRequest(0.01, 3, 8), &c), IsOk());
  ASSERT_THAT(trainer->Train(SgdRequest(0.01, 3, 7), &b), IsOk());
  EXPECT_TRUE(SameBits(a, b));
  EXPECT_FALSE(SameBits(a, c));
}

TEST_P(TextTrainerTest, WithOtherDataItIsAsIfMadeWithThem) {
  const auto lent = Make(Some(GetParam(), 6, 1), {}), own = Make(Some(GetParam(), 6, 2), {});
  ModelState first = lent->Initialize(1).value(), other = first, expected = first;
  ASSERT_THAT(lent->Train(SgdRequest(0.01, 2), &first), IsOk());
  ASSERT_THAT(lent->SetTrainingData(Some(GetParam(), 6, 2)), IsOk());
  ASSERT_THAT(lent->Train(SgdRequest(0.01, 2), &other), IsOk());
  ASSERT_THAT(own->Train(SgdRequest(0.01, 2), &expected), IsOk());
  EXPECT_TRUE(SameBits(other, expected));
  EXPECT_FALSE(SameBits(first, expected));
  EXPECT_EQ(lent->SetTrainingData({}).code(), absl::StatusCode::kInvalidArgument);
}

// S1E8M23 holds every value as it is.
TEST_P(TextTrainerTest, PackedAtFullWidthItLeavesTheBitsOfAPlainOne) {
  TextTrainerOptions packed_options;
  packed_options.weights.packed = true;
  const auto plain = Make(Some(GetParam(), 12, 1), {}), packed = Make(Some(GetParam(), 12, 1), {}, packed_options);
  ASSERT_EQ(plain->model(), packed->model());
  TrainRequest request = SgdRequest(0.01, 4);
  request.held.codec = CodecSpec::Float(8, 23, ScaleRule::kNone);
  ModelState expected = plain->Initialize(1).value();
  const ModelState untrained = expected;
  ModelStateSource start(untrained);
  ASSERT_NE(packed->streaming(), nullptr);
  ASSERT_THAT(packed->streaming()->Train(request, start), IsOk());
  ModelState trained(expected.spec);
  ASSERT_THAT(ReadModel(packed->streaming()->trained(), &trained), IsOk());
  ASSERT_THAT(plain->Train(request, &expected), IsOk());
  EXPECT_TRUE(SameBits(trained, expected));
  EXPECT_FALSE(SameBits(trained, untrained));
}

TEST_P(TextTrainerTest, EvaluationDoesNotDependOnItsBatchSize) {
  TextTrainerOptions options;
  options.evaluation_batch = 1;
  const auto single = Make({}, Some(GetParam(), 17, 3), options), batched = Make({}, Some(GetParam(), 17, 3));
  const ModelState state = single->Initialize(1).value();
  const EvaluateResult a = single->Evaluate(state).value(), b = batched->Evaluate(state).value();
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_NEAR(a.loss, b.loss, 1e-5);
}

TEST_P(TextTrainerTest, DivergenceNamesTheWayOut) {
  const auto trainer = Make(Some(GetParam(), 16, 1), {});
  ModelState state = trainer->Initialize(1).value();
  EXPECT_THAT(trainer->Train(Request(1e30, 5), &state),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("lower the learning rate (now 1e+30)")));
}

TEST_P(TextTrainerTest, RolesNeedTheirData) {
  const auto evaluator = Make({}, Some(GetParam(), 4, 1)), trainer = Make(Some(GetParam(), 4, 1), {});
  ModelState state = evaluator->Initialize(1).value();
  EXPECT_THAT(evaluator->Train(Request(0.1, 1), &state), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(trainer->Evaluate(state), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(TextTrainer, AnotherVocabularyIsRefusedByName) {
  TextData other = Sentences(4, 1);
  other.table = "words_1";
  const auto trainer = Make(Sentences(4, 1), {}), stranger = Make(other, {});
  ModelState state = stranger->Initialize(1).value();
  EXPECT_THAT(trainer->Train(Request(0.1, 1), &state),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("words_0"), HasSubstr("words_1"))));
  EXPECT_THAT(trainer->SetTrainingData(other),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("words_0"), HasSubstr("words_1"))));
  EXPECT_THAT(MakeTextTrainer({}, Sentences(4, 1), other), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(MakeTextTrainer({}, Sentences(4, 1), Windows(4, 1)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(TextTrainer, DataAndNamesThatDoNotFitAreRefused) {
  EXPECT_THAT(MakeTextTrainer({}, {}, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("both are empty")));
  TextData bad = Sentences(3, 1);
  bad.samples[1].symbols[0] = 12;
  EXPECT_THAT(MakeTextTrainer({}, bad, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("symbols up to 12")));
  bad = Sentences(3, 1);
  bad.samples[2].symbols.clear();
  EXPECT_THAT(MakeTextTrainer({}, bad, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 symbols")));
  bad = Sentences(3, 1);
  bad.samples[0].label = 2;
  EXPECT_THAT(MakeTextTrainer({}, bad, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("label 2")));
  TextTrainerOptions options;
  options.model = "lstm";
  EXPECT_THAT(
      MakeTextTrainer(options, Sentences(3, 1), {}),
      StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("no model 'lstm'"), HasSubstr("transformer-xs"))));
  options = {};
  options.dropout = 1;
  EXPECT_THAT(MakeTextTrainer(options, Sentences(3, 1), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("dropout is 1")));
}

TEST(TextModels, HaveTheSizesThatTheirHeaderNames) {
  for (const auto& [name, parameters] : {std::pair("transformer-xs", 100'000), std::pair("transformer-s", 793'000)}) {
    TextTrainerOptions options;
    options.model = name;
    const TextData data = Sentences(1, 1);
    const auto trainer = Make(data, {}, options);
    ASSERT_OK_AND_ASSIGN(const TextModelOptions sizes, TextModelNamed(name));
    uint64_t count = 0;
    for (const TensorSpec& tensor : trainer->model().tensors()) {
      const bool data_dependent = tensor.name.rfind("words_", 0) == 0 || tensor.name.rfind("scores.", 0) == 0;
      if (!data_dependent) count += tensor.count();
    }
    EXPECT_NEAR(static_cast<double>(count), parameters, 0.01 * parameters) << name;
  }
}

}  // namespace
}  // namespace thinwire
