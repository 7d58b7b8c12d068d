#include "client/train/local_text.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Where the texts are: one of the two is empty.
struct TextFiles {
  std::string folder;  // of sentences
  std::string roles;
};

absl::StatusOr<TextFiles> FindTextFiles(const std::string& path) {
  if (absl::EndsWith(path, ".jsonl")) return TextFiles{"", path};
  const std::string sentences = JoinPath(path, "train.tsv"), roles = JoinPath(path, "roles.jsonl");
  const bool has_sentences = FileExists(sentences), has_roles = FileExists(roles);
  if (has_sentences && has_roles) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds train.tsv and roles.jsonl; name ", roles, " or remove it"));
  }
  if (has_sentences) return TextFiles{path, ""};
  if (has_roles) return TextFiles{"", roles};
  return absl::NotFoundError(
      absl::StrCat(path, " holds neither train.tsv nor roles.jsonl; name a folder that does, or a .jsonl file"));
}

absl::StatusOr<Vocabulary> VocabularyFor(const LocalTextOptions& options,
                                         const std::vector<LabelledSentence>& training) {
  if (!options.vocabulary.empty()) return Vocabulary::Read(options.vocabulary);
  if (options.words == 0 || options.words > Vocabulary::kMaxWords) {
    return absl::InvalidArgumentError(
        absl::StrCat("a vocabulary of ", options.words, " words; 1 to ", Vocabulary::kMaxWords, " are possible"));
  }
  return Vocabulary::Build(training, options.words);
}

absl::StatusOr<TextData> LoadTestSentences(const LocalTextOptions& options, const std::string& folder) {
  if (options.test_set != "dev" && options.test_set != "test") {
    return absl::InvalidArgumentError(absl::StrCat("the test set is '", options.test_set, "', not one of dev, test"));
  }
  SentenceFile training;
  if (options.vocabulary.empty()) {
    TW_ASSIGN_OR_RETURN(training, ReadSentences(JoinPath(folder, "train.tsv")));
  }
  TW_ASSIGN_OR_RETURN(const Vocabulary vocabulary, VocabularyFor(options, training.sentences));
  TW_ASSIGN_OR_RETURN(const SentenceFile test, ReadSentences(JoinPath(folder, absl::StrCat(options.test_set, ".tsv"))));
  return SentenceData(test, vocabulary);
}

absl::StatusOr<TextData> LoadTestWindows(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const RoleFile roles, ReadRoles(path));
  TextData data = WindowData(roles, RolePart::kTest);
  if (!data.samples.empty()) return data;
  return absl::NotFoundError(absl::StrCat(path, ": no role has two speeches, so that there is nothing for tests"));
}

// Does not depend on the partition's seed, so that runs of several seeds can be compared.
absl::StatusOr<TextData> Subset(TextData data, uint64_t count) {
  if (count == 0) return data;
  if (count > data.samples.size()) {
    return absl::InvalidArgumentError(absl::StrCat(count, " test samples are asked for, there are ",
                                                   data.samples.size(), "; ask for fewer or 0 for all"));
  }
  std::vector<uint32_t> drawn(data.samples.size());
  std::iota(drawn.begin(), drawn.end(), 0u);
  RandomStream random(DeriveKey({KeyWord("test samples of texts")}));
  random.Shuffle(drawn);
  drawn.resize(count);
  std::sort(drawn.begin(), drawn.end());
  TextData part = data.Part(drawn);
  part.skipped = std::move(data.skipped);
  return part;
}

absl::Status CheckRule(const TextData& data, const PartitionRule& rule) {
  const bool by_speaker = rule.kind == PartitionRule::Kind::kBySpeaker;
  if (rule.kind == PartitionRule::Kind::kIid || by_speaker == (data.kind == TextData::Kind::kCharacters)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("partition '", rule.ToText(), "': ",
                   by_speaker ? "sentences have labels, not speakers; use iid, dirichlet:ALPHA or label:K"
                              : "what roles say has speakers, not labels; use iid or speaker"));
}

}  // namespace

absl::StatusOr<TextData> LoadTextTraining(const LocalTextOptions& options) {
  TW_ASSIGN_OR_RETURN(const TextFiles files, FindTextFiles(options.data));
  if (!files.roles.empty()) {
    TW_ASSIGN_OR_RETURN(const RoleFile roles, ReadRoles(files.roles));
    return WindowData(roles, RolePart::kTraining);
  }
  TW_ASSIGN_OR_RETURN(const SentenceFile training, ReadSentences(JoinPath(files.folder, "train.tsv")));
  TW_ASSIGN_OR_RETURN(const Vocabulary vocabulary, VocabularyFor(options, training.sentences));
  return SentenceData(training, vocabulary);
}

absl::StatusOr<std::vector<std::vector<uint32_t>>> DealText(const TextData& training, const LocalTextOptions& options,
                                                            uint32_t shards) {
  TW_RETURN_IF_ERROR(CheckRule(training, options.rule));
  const PartitionOptions deal{options.rule, shards, options.seed, options.samples};
  std::vector<uint8_t> labels;
  std::vector<uint32_t> speakers;
  for (const TextSample& sample : training.samples) {
    labels.push_back(sample.label);
    speakers.push_back(sample.speaker);
  }
  return training.kind == TextData::Kind::kSentences ? PartitionSamples(labels, deal)
                                                     : PartitionRecordings(speakers, deal);
}

absl::StatusOr<TextData> LoadTextShard(const LocalTextOptions& options) {
  TW_ASSIGN_OR_RETURN(TextData training, LoadTextTraining(options));
  TW_ASSIGN_OR_RETURN(const auto parts, DealText(training, options, options.shard.count));
  TextData shard = training.Part(parts[options.shard.index]);
  shard.skipped = std::move(training.skipped);
  return shard;
}

absl::StatusOr<TextData> LoadTextTestSet(const LocalTextOptions& options) {
  TW_ASSIGN_OR_RETURN(const TextFiles files, FindTextFiles(options.data));
  absl::StatusOr<TextData> data =
      files.roles.empty() ? LoadTestSentences(options, files.folder) : LoadTestWindows(files.roles);
  if (!data.ok()) return data.status();
  return Subset(*std::move(data), options.test_samples);
}

}  // namespace thinwire
