#include "client/speech/log_mel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/unit/speech/log_mel_golden.h"

namespace thinwire {
namespace {

using ::testing::HasSubstr;

LogMel Make(uint32_t filters, uint32_t fft = 0) {
  LogMelOptions options;
  options.filters = filters;
  options.fft = fft;
  return LogMel::Create(options).value();
}

std::vector<float> GoldenSamples() {
  std::vector<float> samples;
  for (int i = 0; i < 800; ++i) samples.push_back(static_cast<float>(((i * i) % 997 - 498) / 1000.0));
  return samples;
}

TEST(LogMel, AgreesWithNumpy) {
  const Features forty = Make(40).Compute(GoldenSamples()).value();
  const Features eighty = Make(80, 1024).Compute(GoldenSamples()).value();
  ASSERT_EQ(forty.frames, 3u);
  ASSERT_EQ(forty.width, 40u);
  ASSERT_EQ(eighty.frames, 3u);
  ASSERT_EQ(eighty.values.size(), 240u);
  for (size_t t = 0; t < 3; ++t) {
    for (size_t i = 0; i < 40; ++i) EXPECT_NEAR(forty.frame(t)[i], kGolden40[t][i], 1e-4) << t << " " << i;
    for (size_t i = 0; i < 80; ++i) EXPECT_NEAR(eighty.frame(t)[i], kGolden80[t][i], 1e-4) << t << " " << i;
  }
}

TEST(LogMel, AToneIsLoudestInTheFilterAroundIt) {
  std::vector<float> tone;
  for (int i = 0; i < 400; ++i) tone.push_back(static_cast<float>(std::sin(2 * 3.14159265358979 * 1000 * i / 16000)));
  const Features features = Make(40).Compute(tone).value();
  // 1000 Hz are 1000 mel; filter i has its peak at 31.7 + (i + 1) * 68.5 mel.
  const auto* frame = features.frame(0);
  EXPECT_EQ(std::max_element(frame, frame + 40) - frame, 13);
}

TEST(LogMel, FramesAreCountedWithoutPadding) {
  LogMel mel = Make(40);
  EXPECT_EQ(mel.window(), 400u);
  EXPECT_EQ(mel.hop(), 160u);
  EXPECT_EQ(mel.Compute(std::vector<float>(400)).value().frames, 1u);
  EXPECT_EQ(mel.Compute(std::vector<float>(559)).value().frames, 1u);
  EXPECT_EQ(mel.Compute(std::vector<float>(560)).value().frames, 2u);
  EXPECT_THAT(mel.Compute(std::vector<float>(399)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("399 samples are too short")));
}

TEST(LogMel, SilenceIsTheFloorAndFinite) {
  const Features features = Make(40).Compute(std::vector<float>(400)).value();
  for (const float value : features.values) {
    EXPECT_NEAR(value, std::log(1e-10), 1e-4);
  }
}

TEST(LogMel, FiltersWithoutAFrequencyAreRefused) {
  LogMelOptions options;
  options.filters = 200;
  EXPECT_THAT(LogMel::Create(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("take fewer filters or a transform of 1024")));
}

TEST(LogMel, OptionsThatMakeNoSenseAreRefused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](auto change) {
    LogMelOptions options;
    change(options);
    return LogMel::Create(options).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.sample_rate = 0; }));
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.filters = 0; }));
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.fft = 256; }));
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.fft = 513; }));
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.high_hertz = 8001; }));
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.low_hertz = 8000; }));
  EXPECT_TRUE(refused([&](LogMelOptions& o) { o.low_hertz = nan; }));
  EXPECT_TRUE(refused([&](LogMelOptions& o) { o.window_seconds = nan; }));
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.hop_seconds = 1e-9; }));
  EXPECT_TRUE(refused([](LogMelOptions& o) { o.window_seconds = 1e9; }));
}

}  // namespace
}  // namespace thinwire
