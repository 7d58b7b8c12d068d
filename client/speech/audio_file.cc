#include "client/speech/audio_file.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

struct CloseSound {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using Sound = std::unique_ptr<SNDFILE, CloseSound>;

absl::Status Invalid(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::Status Damaged(const std::string& path, const std::string& what) {
  return absl::DataLossError(absl::StrCat(path, ": ", what, "; the file is damaged, fetch it again"));
}

// libsndfile takes a WAV file that was cut off for a shorter one. Its header knows better, unless it was streamed
// (sizes 0 and 2^32 - 1).
absl::Status CheckRiffSize(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const File file, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  unsigned char header[8];
  if (size < sizeof(header)) return absl::OkStatus();
  TW_RETURN_IF_ERROR(file.ReadAt(0, sizeof(header), header));
  const uint32_t claimed = LoadLittle<uint32_t>(header + 4);
  if (std::memcmp(header, "RIFF", 4) != 0 || claimed == 0 || claimed == ~uint32_t{0}) return absl::OkStatus();
  if (claimed + uint64_t{8} <= size) return absl::OkStatus();
  return Damaged(path, absl::StrCat("its header says ", claimed + uint64_t{8}, " bytes, it has ", size));
}

absl::Status CheckFormat(const std::string& path, const SF_INFO& info, const AudioRules& rules) {
  if (info.samplerate != static_cast<int>(rules.sample_rate)) {
    return Invalid(path, absl::StrCat(info.samplerate, " samples per second, expected ", rules.sample_rate,
                                      "; resample it (sox IN -r ", rules.sample_rate, " OUT) or ask for that rate"));
  }
  if (info.channels != 1) {
    return Invalid(path, absl::StrCat(info.channels, " channels, expected one; mix them down (sox IN OUT remix -)"));
  }
  if (info.frames <= 0) return Invalid(path, "no samples; remove it from the index");
  const double seconds = static_cast<double>(info.frames) / rules.sample_rate;
  if (!(seconds <= rules.max_seconds)) {
    return Invalid(path, absl::StrCat(seconds, " seconds, at most ", rules.max_seconds, " are taken; cut it up"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<float>> ReadAudio(const std::string& path, const AudioRules& rules) {
  TW_RETURN_IF_ERROR(CheckRiffSize(path));  // also NOT_FOUND
  SF_INFO info{};
  const Sound sound(sf_open(path.c_str(), SFM_READ, &info));
  if (sound == nullptr) return Invalid(path, absl::StrCat("not readable as audio: ", sf_strerror(nullptr)));
  TW_RETURN_IF_ERROR(CheckFormat(path, info, rules));
  std::vector<float> samples(static_cast<size_t>(info.frames));
  const sf_count_t read = sf_readf_float(sound.get(), samples.data(), info.frames);
  if (read != info.frames) {
    return Damaged(path, absl::StrCat("ends after ", read, " of ", info.frames, " samples"));
  }
  if (sf_error(sound.get()) != SF_ERR_NO_ERROR) return Damaged(path, sf_strerror(sound.get()));
  const bool finite = std::all_of(samples.begin(), samples.end(), [](float value) { return std::isfinite(value); });
  if (!finite) return Damaged(path, "has samples that are not finite");
  return samples;
}

}  // namespace thinwire
