#include "client/train/speech_trainer.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/speech/alphabet.h"
#include "common/base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/train/torch_testing.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

// Utterances of two words of one letter each; a letter is eight frames in which its own features are loud.
SpeechData Letters(size_t count, uint64_t seed) {
  SpeechData data;
  data.width = 12;
  RandomStream random(seed);
  for (size_t i = 0; i < count; ++i) {
    SpeechSample sample;
    sample.file = absl::StrCat("utterance", i);
    sample.speaker = "ann";
    const size_t letters[] = {random.Below(3), random.Below(3)};
    sample.labels = {static_cast<int64_t>(letters[0]) + 1, kSpaceLabel, static_cast<int64_t>(letters[1]) + 1};
    sample.features.width = data.width;
    sample.features.frames = 40 + 4 * (i % 3);
    for (size_t t = 0; t < sample.features.frames; ++t) {
      const size_t part = t / 8;  // of five: silence, letter, silence, letter, silence
      for (size_t k = 0; k < data.width; ++k) {
        const bool loud = (part == 1 && k / 4 == letters[0]) || (part == 3 && k / 4 == letters[1]);
        sample.features.values.push_back(static_cast<float>(random.NextDouble() - 0.5 + (loud ? 2 : 0)));
      }
    }
    data.samples.push_back(std::move(sample));
  }
  return data;
}

std::unique_ptr<SpeechTrainer> Make(SpeechData train, SpeechData test, SpeechTrainerOptions options = {}) {
  auto trainer = MakeSpeechTrainer(options, std::move(train), std::move(test));
  EXPECT_THAT(trainer, IsOk());
  return trainer.ok() ? *std::move(trainer) : nullptr;
}

TrainRequest AdamRequest(double rate, uint32_t steps, uint64_t seed = 1) {
  TrainRequest request = Request(rate, steps, seed);
  request.options.optimizer = TrainingOptions::Optimizer::kAdam;
  request.options.batch_size = 8;
  return request;
}

TEST(SpeechTrainer, LearnsToSpell) {
  SpeechTrainerOptions options;
  options.augment = false;
  const auto trainer = Make(Letters(96, 1), Letters(40, 2), options);
  ModelState state = trainer->Initialize(1).value();
  const EvaluateResult before = trainer->Evaluate(state).value();
  EXPECT_LT(before.accuracy, 0.5);
  const auto trained = trainer->Train(AdamRequest(1e-3, 120), &state);
  ASSERT_THAT(trained, IsOk());
  EXPECT_EQ(trained->examples, 96u);
  const EvaluateResult after = trainer->Evaluate(state).value();
  EXPECT_EQ(after.examples, 40u);
  EXPECT_GT(after.accuracy, 0.9);
  EXPECT_LT(after.loss, 0.2 * before.loss);

  ASSERT_OK_AND_ASSIGN(const std::vector<Transcription> greedy, trainer->Transcribe(state, 1));
  ASSERT_OK_AND_ASSIGN(const std::vector<Transcription> beam, trainer->Transcribe(state, 4));
  ASSERT_EQ(greedy.size(), 40u);
  ErrorCount words, beam_words;
  for (size_t i = 0; i < greedy.size(); ++i) {
    words += greedy[i].words;
    beam_words += beam[i].words;
    EXPECT_EQ(greedy[i].file, absl::StrCat("utterance", i));
  }
  EXPECT_DOUBLE_EQ(after.accuracy, 1 - words.rate());
  EXPECT_EQ(words.reference, 80u);
  EXPECT_LE(beam_words.errors(), words.errors() + 2);
}

TEST(SpeechTrainer, SameSeedGivesSameBitsAndAnotherSeedDoesNot) {
  const auto trainer = Make(Letters(20, 1), {});
  const ModelState start = trainer->Initialize(1).value();
  ModelState a = start, b = start, c = start;
  ASSERT_THAT(trainer->Train(AdamRequest(1e-3, 3, 7), &a), IsOk());
  ASSERT_THAT(trainer->Train(AdamRequest(1e-3, 3, 8), &c), IsOk());
  ASSERT_THAT(trainer->Train(AdamRequest(1e-3, 3, 7), &b), IsOk());
  EXPECT_TRUE(SameBits(a, b));
  EXPECT_FALSE(SameBits(a, c));
}

TEST(SpeechTrainer, WithOtherDataItIsAsIfMadeWithThem) {
  const auto lent = Make(Letters(6, 1), {}), own = Make(Letters(6, 2), {});
  ModelState first = lent->Initialize(1).value(), other = first, expected = first;
  ASSERT_THAT(lent->Train(AdamRequest(0.01, 2), &first), IsOk());
  ASSERT_THAT(lent->SetTrainingData(Letters(6, 2)), IsOk());
  ASSERT_THAT(lent->Train(AdamRequest(0.01, 2), &other), IsOk());
  ASSERT_THAT(own->Train(AdamRequest(0.01, 2), &expected), IsOk());
  EXPECT_TRUE(SameBits(other, expected));
  EXPECT_FALSE(SameBits(first, expected));
  EXPECT_EQ(lent->SetTrainingData({}).code(), absl::StatusCode::kInvalidArgument);
}

// At full width, and with what a Conformer has besides matrices.
TEST(SpeechTrainer, PackedAndCheckpointedItLeavesTheBitsOfAPlainOne) {
  SpeechTrainerOptions packed_options;
  packed_options.weights.packed = true;
  packed_options.checkpoint = true;
  const auto plain = Make(Letters(6, 1), {}), packed = Make(Letters(6, 1), {}, packed_options);
  TrainRequest request;
  request.options.learning_rate = 0.01;
  request.options.local_steps = 3;
  request.options.momentum = 0.5;
  ModelState expected = plain->Initialize(1).value();
  ModelStateSource start(expected);
  ASSERT_NE(packed->streaming(), nullptr);
  ASSERT_THAT(packed->streaming()->Train(request, start), IsOk());
  ModelState trained(expected.spec);
  ASSERT_THAT(ReadModel(packed->streaming()->trained(), &trained), IsOk());
  ASSERT_THAT(plain->Train(request, &expected), IsOk());
  EXPECT_TRUE(SameBits(trained, expected));
}

TEST(SpeechTrainer, MasksChangeWhatIsLearned) {
  SpeechTrainerOptions plain;
  plain.augment = false;
  plain.dropout = 0;
  SpeechTrainerOptions masked = plain;
  masked.augment = true;
  ModelState a = Make(Letters(20, 1), {}, plain)->Initialize(1).value(), b = a;
  ASSERT_THAT(Make(Letters(20, 1), {}, plain)->Train(AdamRequest(1e-3, 1), &a), IsOk());
  ASSERT_THAT(Make(Letters(20, 1), {}, masked)->Train(AdamRequest(1e-3, 1), &b), IsOk());
  EXPECT_FALSE(SameBits(a, b));
}

TEST(SpeechTrainer, EvaluationDoesNotDependOnItsBatchSize) {
  SpeechTrainerOptions options;
  options.evaluation_batch = 1;
  const auto single = Make({}, Letters(17, 3), options);
  const auto batched = Make({}, Letters(17, 3));
  const ModelState state = single->Initialize(1).value();
  const EvaluateResult a = single->Evaluate(state).value(), b = batched->Evaluate(state).value();
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_NEAR(a.loss, b.loss, 1e-3);
}

TEST(SpeechTrainer, AccuracyIsZeroWhereThereAreMoreErrorsThanWords) {
  SpeechData test = Letters(20, 1);
  for (SpeechSample& sample : test.samples) sample.labels = {1};
  const auto trainer = Make({}, test);
  // A model that is sure of nonsense, some of which has several words.
  bool babbled = false;
  for (uint64_t seed = 1; seed <= 20 && !babbled; ++seed) {
    ModelState state = trainer->Initialize(seed).value();
    for (size_t i = 0; i < state.floats.size(); ++i) {
      if (state.spec.tensors()[i].name != "labels.weight") continue;
      for (float& value : state.floats[i]) value *= 100;
    }
    ErrorCount words;
    const std::vector<Transcription> all = trainer->Transcribe(state, 1).value();
    for (const Transcription& each : all) words += each.words;
    babbled = words.rate() > 1;
    if (babbled) {
      EXPECT_EQ(trainer->Evaluate(state)->accuracy, 0);
    }
  }
  EXPECT_TRUE(babbled);
}

TEST(SpeechTrainer, StopsBetweenStepsWhenCancelledAndShowsProgress) {
  const auto trainer = Make(Letters(16, 1), {});
  ModelState state = trainer->Initialize(1).value();
  TrainRequest request = AdamRequest(1e-3, 1000);
  int polls = 0;
  request.cancelled = [&] { return ++polls > 2; };
  EXPECT_THAT(trainer->Train(request, &state), StatusIs(absl::StatusCode::kCancelled));
  request = AdamRequest(1e-3, 2);
  std::string last;
  request.progress = [&](const std::string& line) { last = line; };
  EXPECT_THAT(trainer->Train(request, &state), IsOk());
  EXPECT_EQ(last, "step 2 of 2");
}

TEST(SpeechTrainer, DivergenceNamesTheWayOut) {
  const auto trainer = Make(Letters(16, 1), {});
  ModelState state = trainer->Initialize(1).value();
  EXPECT_THAT(trainer->Train(Request(1e30, 5), &state),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("lower the learning rate (now 1e+30)")));
}

TEST(SpeechTrainer, RolesNeedTheirData) {
  const auto evaluator = Make({}, Letters(4, 1));
  ModelState state = evaluator->Initialize(1).value();
  EXPECT_THAT(evaluator->Train(Request(0.1, 1), &state), StatusIs(absl::StatusCode::kFailedPrecondition));
  const auto trainer = Make(Letters(4, 1), {});
  EXPECT_THAT(trainer->Evaluate(state), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(trainer->Transcribe(state, 1), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(evaluator->Transcribe(state, 0), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SpeechTrainer, DataAndNamesThatDoNotFitAreRefused) {
  EXPECT_THAT(MakeSpeechTrainer({}, {}, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("both are empty")));
  SpeechData wide = Letters(2, 1);
  wide.samples[1].features.width = 24;
  EXPECT_THAT(MakeSpeechTrainer({}, wide, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("frames of 24 features, expected a width of 12")));
  SpeechTrainerOptions options;
  options.model = "cnn";
  EXPECT_THAT(MakeSpeechTrainer(options, Letters(2, 1), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("there is no model 'cnn'")));
  options = {};
  options.dropout = 1;
  EXPECT_THAT(MakeSpeechTrainer(options, Letters(2, 1), {}), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace thinwire
