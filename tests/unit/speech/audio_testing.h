// Audio files for tests.
#ifndef THINWIRE_TESTS_UNIT_SPEECH_AUDIO_TESTING_H_
#define THINWIRE_TESTS_UNIT_SPEECH_AUDIO_TESTING_H_

#include <sndfile.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "gtest/gtest.h"

namespace thinwire {

// `seconds` of seeded noise at 16 kHz.
inline std::vector<float> Noise(double seconds, uint64_t seed = 1) {
  RandomStream random(seed);
  std::vector<float> samples(static_cast<size_t>(seconds * 16000));
  for (float& value : samples) value = static_cast<float>(0.5 * random.NextDouble() - 0.25);
  return samples;
}

inline void WriteAudio(const std::string& path, const std::vector<float>& samples,
                       int format = SF_FORMAT_WAV | SF_FORMAT_PCM_16, int rate = 16000, int channels = 1) {
  SF_INFO info{};
  info.samplerate = rate;
  info.channels = channels;
  info.format = format;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(file, nullptr) << path << ": " << sf_strerror(nullptr);
  const auto frames = static_cast<sf_count_t>(samples.size()) / channels;
  EXPECT_EQ(sf_writef_float(file, samples.data(), frames), frames);
  sf_close(file);
}

inline std::string ReadBytes(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_SPEECH_AUDIO_TESTING_H_
