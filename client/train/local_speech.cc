#include "client/train/local_speech.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

std::vector<Utterance> Split(const UtteranceIndex& index, bool test) {
  std::vector<Utterance> chosen;
  std::copy_if(index.utterances.begin(), index.utterances.end(), std::back_inserter(chosen),
               [&](const Utterance& each) { return each.test == test; });
  return chosen;
}

std::vector<uint32_t> SpeakerNumbers(const std::vector<Utterance>& utterances) {
  std::map<std::string, uint32_t> numbers;
  std::vector<uint32_t> speakers;
  for (const Utterance& each : utterances) {
    speakers.push_back(numbers.emplace(each.speaker, static_cast<uint32_t>(numbers.size())).first->second);
  }
  return speakers;
}

absl::StatusOr<SpeechData> Load(const std::vector<Utterance>& utterances, const SkippedUtterances& skipped_lines,
                                const SpeechRules& rules) {
  TW_ASSIGN_OR_RETURN(SpeechData data, LoadSpeech(utterances, rules));
  SkippedUtterances skipped = skipped_lines;
  skipped.Merge(data.skipped);
  data.skipped = std::move(skipped);
  return data;
}

}  // namespace

absl::StatusOr<SpeechData> LoadSpeechShard(const LocalSpeechOptions& options) {
  TW_ASSIGN_OR_RETURN(const UtteranceIndex index, ReadUtteranceIndex(options.index, options.folder));
  const std::vector<Utterance> train = Split(index, /*test=*/false);
  TW_ASSIGN_OR_RETURN(const auto parts, PartitionRecordings(SpeakerNumbers(train), {options.rule, options.shard.count,
                                                                                    options.seed, options.samples}));
  std::vector<Utterance> mine;
  for (const uint32_t i : parts[options.shard.index]) mine.push_back(train[i]);
  return Load(mine, index.skipped, options.rules);
}

absl::StatusOr<SpeechData> LoadSpeechTestSet(const LocalSpeechOptions& options) {
  TW_ASSIGN_OR_RETURN(const UtteranceIndex index, ReadUtteranceIndex(options.index, options.folder));
  const std::vector<Utterance> test = Split(index, /*test=*/true);
  if (test.empty()) return absl::NotFoundError(absl::StrCat(options.index, " has no utterances of the split test"));
  return Load(test, index.skipped, options.rules);
}

}  // namespace thinwire
