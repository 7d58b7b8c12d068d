#include "client/speech/speech_data.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/speech/alphabet.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status NameFile(const std::string& file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
}

absl::Status CheckLength(const SpeechSample& sample, uint32_t subsampling) {
  const size_t left = SubsampledFrames(sample.features.frames, subsampling);
  const size_t needed = CtcFramesNeeded(sample.labels);
  if (left >= needed && left > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(sample.file, ": too short for its transcript: it leaves ", left,
                                                 " frames to the model, which needs ", needed,
                                                 "; check the transcript or remove the utterance"));
}

absl::Status TooMuch(const SpeechRules& rules) {
  return absl::ResourceExhaustedError(absl::StrCat("features take more than ", rules.max_values,
                                                   " values (4 bytes each); use more shards or fewer utterances"));
}

}  // namespace

size_t SubsampledFrames(size_t frames, uint32_t subsampling) {
  for (uint32_t factor = 1; factor < subsampling; factor *= 2) frames = (frames + 1) / 2;
  return frames;
}

absl::StatusOr<SpeechSample> LoadSample(const Utterance& utterance, const SpeechRules& rules, LogMel& mel) {
  SpeechSample sample;
  sample.file = utterance.file;
  sample.speaker = utterance.speaker;
  absl::StatusOr<std::vector<int64_t>> labels = EncodeTranscript(utterance.transcript);
  if (!labels.ok()) return NameFile(utterance.file, labels.status());
  sample.labels = *std::move(labels);
  TW_ASSIGN_OR_RETURN(const std::vector<float> audio, ReadAudio(utterance.file, rules.audio));
  absl::StatusOr<Features> features = mel.Compute(audio);
  if (!features.ok()) return NameFile(utterance.file, features.status());
  sample.features = *std::move(features);
  NormalizeColumns(&sample.features);
  StackFrames(rules.stack, &sample.features);
  TW_RETURN_IF_ERROR(CheckLength(sample, rules.subsampling));
  return sample;
}

absl::StatusOr<SpeechData> LoadSpeech(absl::Span<const Utterance> utterances, const SpeechRules& rules) {
  if (rules.stack == 0) return absl::InvalidArgumentError("frames are stacked by 0; 1 leaves them as they are");
  LogMelOptions options = rules.mel;
  options.sample_rate = rules.audio.sample_rate;
  TW_ASSIGN_OR_RETURN(LogMel mel, LogMel::Create(options));
  SpeechData data;
  data.width = mel.filters() * rules.stack;
  uint64_t values = 0;
  for (const Utterance& utterance : utterances) {
    absl::StatusOr<SpeechSample> sample = LoadSample(utterance, rules, mel);
    if (!sample.ok()) {
      data.skipped.Add(std::string(sample.status().message()));
      continue;
    }
    values += sample->features.values.size();
    if (values > rules.max_values) return TooMuch(rules);
    data.samples.push_back(*std::move(sample));
  }
  if (!data.samples.empty()) return data;
  return absl::InvalidArgumentError(absl::StrCat("no utterance can be used; ", data.skipped.ToText(utterances.size())));
}

}  // namespace thinwire
