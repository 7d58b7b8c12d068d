#include "client/train/partition.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <queue>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/train/gamma_sampler.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr double kMinAlpha = 1e-3, kMaxAlpha = 1e6;
constexpr uint32_t kMaxClasses = 256;

using Indices = std::vector<uint32_t>;
using Parts = std::vector<Indices>;

RandomStream Stream(const PartitionOptions& options, absl::string_view purpose) {
  return RandomStream(DeriveKey({options.seed, KeyWord("partition"), KeyWord(purpose)}));
}

// The samples to deal out, shuffled.
Indices Draw(size_t size, const PartitionOptions& options) {
  Indices all(size);
  std::iota(all.begin(), all.end(), 0u);
  RandomStream random = Stream(options, "subset");
  random.Shuffle(all);
  if (options.samples > 0) all.resize(options.samples);
  return all;
}

std::array<Indices, kMaxClasses> ByClass(absl::Span<const uint8_t> labels, const Indices& drawn) {
  std::array<Indices, kMaxClasses> classes;
  for (const uint32_t index : drawn) classes[labels[index]].push_back(index);
  return classes;
}

// Appends items [begin, end) to `part`.
void Append(const Indices& items, size_t begin, size_t end, Indices* part) {
  part->insert(part->end(), items.begin() + static_cast<ptrdiff_t>(begin), items.begin() + static_cast<ptrdiff_t>(end));
}

Parts DealEvenly(const Indices& drawn, const PartitionOptions& options) {
  Parts parts(options.shards);
  for (size_t i = 0; i < parts.size(); ++i) {
    Append(drawn, drawn.size() * i / parts.size(), drawn.size() * (i + 1) / parts.size(), &parts[i]);
  }
  return parts;
}

Parts DealByDirichlet(absl::Span<const uint8_t> labels, const Indices& drawn, const PartitionOptions& options) {
  Parts parts(options.shards);
  RandomStream random = Stream(options, "dirichlet");
  for (const Indices& items : ByClass(labels, drawn)) {
    if (items.empty()) continue;
    const std::vector<double> shares = SampleDirichlet(options.rule.alpha, parts.size(), random);
    double upto = 0;
    size_t begin = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      upto += shares[i];
      const bool last = i + 1 == parts.size();
      const size_t cut = static_cast<size_t>(upto * static_cast<double>(items.size()));
      const size_t end = last ? items.size() : std::clamp(cut, begin, items.size());
      Append(items, begin, end, &parts[i]);
      begin = end;
    }
  }
  return parts;
}

absl::StatusOr<Parts> DealByLabel(absl::Span<const uint8_t> labels, const Indices& drawn,
                                  const PartitionOptions& options) {
  const auto classes = ByClass(labels, drawn);
  std::vector<uint32_t> present;
  for (uint32_t c = 0; c < kMaxClasses; ++c) {
    if (!classes[c].empty()) present.push_back(c);
  }
  const uint64_t places = uint64_t{options.shards} * options.rule.labels;
  if (options.rule.labels > present.size() || places < present.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "partition '", options.rule.ToText(), "' over ", options.shards, " shards: the data has ", present.size(),
        " classes; at most that many labels per shard, and shards times labels at least that many"));
  }
  // Each shard takes the classes with the fewest holders so far, ties in an order drawn anew: all classes find holders,
  // whose numbers differ by one at most, and no shard takes a class twice.
  std::array<std::vector<uint32_t>, kMaxClasses> holders;
  RandomStream random = Stream(options, "label");
  for (uint32_t shard = 0; shard < options.shards; ++shard) {
    random.Shuffle(present);
    std::stable_sort(present.begin(), present.end(),
                     [&](uint32_t a, uint32_t b) { return holders[a].size() < holders[b].size(); });
    for (uint32_t i = 0; i < options.rule.labels; ++i) holders[present[i]].push_back(shard);
  }
  Parts parts(options.shards);
  for (uint32_t c = 0; c < kMaxClasses; ++c) {
    const size_t size = classes[c].size();
    for (size_t i = 0; i < holders[c].size(); ++i) {
      Append(classes[c], size * i / holders[c].size(), size * (i + 1) / holders[c].size(), &parts[holders[c][i]]);
    }
  }
  return parts;
}

absl::StatusOr<Parts> Deal(absl::Span<const uint8_t> labels, const Indices& drawn, const PartitionOptions& options) {
  switch (options.rule.kind) {
    case PartitionRule::Kind::kIid:
      return DealEvenly(drawn, options);
    case PartitionRule::Kind::kDirichlet:
      return DealByDirichlet(labels, drawn, options);
    case PartitionRule::Kind::kByLabel:
      return DealByLabel(labels, drawn, options);
    case PartitionRule::Kind::kBySpeaker:
      return absl::InvalidArgumentError(
          "partition 'speaker' is for recordings; samples with labels are dealt out by "
          "iid, dirichlet:ALPHA or label:K");
  }
  return absl::InternalError("unknown partition rule");
}

// Speakers in the order in which they first come up in `drawn`, which is shuffled.
absl::StatusOr<Parts> DealBySpeaker(absl::Span<const uint32_t> speakers, const Indices& drawn,
                                    const PartitionOptions& options) {
  std::map<uint32_t, size_t> place;
  for (const uint32_t index : drawn) place.emplace(speakers[index], place.size());
  if (place.size() < options.shards) {
    return absl::InvalidArgumentError(absl::StrCat("partition 'speaker' over ", options.shards, " shards of ",
                                                   place.size(), " speakers; use at most that many shards, or iid"));
  }
  Parts parts(options.shards);
  for (const uint32_t index : drawn) {
    parts[place[speakers[index]] * parts.size() / place.size()].push_back(index);
  }
  return parts;
}

// Gives each empty part the last sample of the part that is largest then, of several the first.
void FillEmpty(Parts* parts) {
  std::priority_queue<std::pair<size_t, size_t>> largest;  // size, parts from here to the end
  for (size_t i = 0; i < parts->size(); ++i) largest.emplace((*parts)[i].size(), parts->size() - i);
  for (Indices& part : *parts) {
    if (!part.empty()) continue;
    const auto [size, from_end] = largest.top();
    largest.pop();
    Indices& donor = (*parts)[parts->size() - from_end];
    part.push_back(donor.back());
    donor.pop_back();
    largest.emplace(size - 1, from_end);
  }
}

absl::Status CheckCounts(size_t size, const PartitionOptions& options) {
  if (options.samples > size) {
    return absl::InvalidArgumentError(absl::StrCat(options.samples, " samples are asked for, the data set has ", size,
                                                   "; ask for fewer or 0 for all"));
  }
  const uint64_t dealt = options.samples > 0 ? options.samples : size;
  if (options.shards == 0 || options.shards > kMaxShards || options.shards > dealt) {
    return absl::InvalidArgumentError(absl::StrCat(options.shards, " shards of ", dealt, " samples; 1 to ",
                                                   std::min<uint64_t>(kMaxShards, dealt),
                                                   " shards are possible, each has at least one sample"));
  }
  return absl::OkStatus();
}

absl::Status BadRule(absl::string_view text, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "partition '", std::string(text), "': ", why,
      "; use iid, dirichlet:ALPHA (e.g. dirichlet:0.3) or label:K (e.g. label:2); recordings: ", "iid or speaker"));
}

}  // namespace

absl::StatusOr<PartitionRule> PartitionRule::Parse(absl::string_view text) {
  PartitionRule rule;
  absl::string_view value = text;
  if (text == "iid") return rule;
  if (absl::ConsumePrefix(&value, "dirichlet:")) {
    rule.kind = Kind::kDirichlet;
    // The comparison is written so that NaN fails it.
    if (!absl::SimpleAtod(value, &rule.alpha) || !(rule.alpha >= kMinAlpha && rule.alpha <= kMaxAlpha)) {
      return BadRule(text, absl::StrCat("ALPHA is a number from ", kMinAlpha, " to ", kMaxAlpha));
    }
    return rule;
  }
  if (absl::ConsumePrefix(&value, "label:")) {
    rule.kind = Kind::kByLabel;
    if (!absl::SimpleAtoi(value, &rule.labels) || rule.labels == 0 || rule.labels > kMaxClasses) {
      return BadRule(text, absl::StrCat("K is a whole number from 1 to ", kMaxClasses));
    }
    return rule;
  }
  if (text == "speaker") {
    rule.kind = Kind::kBySpeaker;
    return rule;
  }
  return BadRule(text, "unknown rule");
}

std::string PartitionRule::ToText() const {
  switch (kind) {
    case Kind::kIid:
      return "iid";
    case Kind::kDirichlet:
      return absl::StrCat("dirichlet:", alpha);
    case Kind::kByLabel:
      return absl::StrCat("label:", labels);
    case Kind::kBySpeaker:
      return "speaker";
  }
  return "?";
}

absl::StatusOr<Shard> Shard::Parse(absl::string_view text) {
  Shard shard;
  const size_t slash = text.find('/');
  const bool numbers = slash != absl::string_view::npos && absl::SimpleAtoi(text.substr(0, slash), &shard.index) &&
                       absl::SimpleAtoi(text.substr(slash + 1), &shard.count);
  if (!numbers || shard.count == 0 || shard.count > kMaxShards || shard.index >= shard.count) {
    return absl::InvalidArgumentError(absl::StrCat("shard '", std::string(text), "': give I/N with 1 <= N <= ",
                                                   kMaxShards, " and 0 <= I < N; the first of ten is 0/10"));
  }
  return shard;
}

absl::StatusOr<std::vector<std::vector<uint32_t>>> PartitionSamples(absl::Span<const uint8_t> labels,
                                                                    const PartitionOptions& options) {
  TW_RETURN_IF_ERROR(CheckCounts(labels.size(), options));
  TW_ASSIGN_OR_RETURN(Parts parts, Deal(labels, Draw(labels.size(), options), options));
  FillEmpty(&parts);
  for (Indices& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

absl::StatusOr<std::vector<std::vector<uint32_t>>> PartitionRecordings(absl::Span<const uint32_t> speakers,
                                                                       const PartitionOptions& options) {
  TW_RETURN_IF_ERROR(CheckCounts(speakers.size(), options));
  const Indices drawn = Draw(speakers.size(), options);
  Parts parts;
  if (options.rule.kind == PartitionRule::Kind::kIid) {
    parts = DealEvenly(drawn, options);
  } else if (options.rule.kind == PartitionRule::Kind::kBySpeaker) {
    TW_ASSIGN_OR_RETURN(parts, DealBySpeaker(speakers, drawn, options));
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("partition '", options.rule.ToText(), "' needs labels, recordings have none; use iid or speaker"));
  }
  for (Indices& part : parts) std::sort(part.begin(), part.end());
  return parts;
}

}  // namespace thinwire
