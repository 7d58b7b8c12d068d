#include "common/sketch/model_changes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/codec/sparse_codec.h"
#include "common/sketch/reduced_source.h"
#include "common/sketch/update_specs.h"
#include "common/subspace/trainable_vector.h"

namespace thinwire {
namespace {

bool SameBits(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

// Walks the entries of a payload of changes in ascending order, one frame in memory.
class EntryWalk {
 public:
  EntryWalk(const PayloadReader& changes, uint64_t dimension)
      : reader_(changes), dimension_(dimension), frames_(BlockCount(EntriesIn(changes.manifest()))) {}

  // Calls `visit` with each entry below `end` that no call before has seen.
  template <typename Visit>
  absl::Status UpTo(uint64_t end, const Visit& visit) {
    while (true) {
      for (; next_ < positions_.size() && positions_[next_] < end; ++next_) visit(positions_[next_], values_[next_]);
      if (next_ < positions_.size() || frame_ == frames_) return absl::OkStatus();
      TW_RETURN_IF_ERROR(ReadFrame());
    }
  }

 private:
  absl::Status ReadFrame() {
    const size_t segment = reader_.SegmentIndex(0, frame_++);
    const uint64_t least = positions_.empty() ? 0 : positions_.back() + 1;
    positions_.resize(reader_.manifest().segments[segment].count);
    values_.resize(positions_.size());
    next_ = 0;
    TW_RETURN_IF_ERROR(reader_.DecodeEntries(segment, dimension_, absl::MakeSpan(positions_), absl::MakeSpan(values_)));
    if (positions_.front() >= least) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("a change at position ", positions_.front(), " comes behind one at ",
                                                   least - 1, "; positions must ascend"));
  }

  const PayloadReader& reader_;
  const uint64_t dimension_, frames_;
  uint64_t frame_ = 0;  // to be read next
  std::vector<uint64_t> positions_;
  std::vector<float> values_;
  size_t next_ = 0;
};

// The newer version, asked for in its order, each value once.
class ChangedModel : public BlockSource {
 public:
  ChangedModel(const ModelSpec& model, const PayloadReader& older, const PayloadReader& changes)
      : older_(older),
        changes_(changes),
        walk_(changes, model.count(TensorRole::kTrainable)),
        starts_(model.tensors().size()),
        buffers_(model.tensors().size()) {
    uint64_t position = 0;
    uint32_t buffer = 0;
    for (size_t i = 0; i < model.tensors().size(); ++i) {
      const TensorSpec& tensor = model.tensors()[i];
      if (tensor.role == TensorRole::kBuffer) buffers_[i] = ++buffer;
      starts_[i] = position;
      if (tensor.role == TensorRole::kTrainable) position += tensor.count();
    }
  }

  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    if (buffers_[tensor] > 0) return changes_.ReadFloats(buffers_[tensor], first, out);
    TW_RETURN_IF_ERROR(older_.ReadFloats(tensor, first, out));
    const uint64_t start = starts_[tensor] + first;
    return walk_.UpTo(start + out.size(), [&](uint64_t position, float value) { out[position - start] = value; });
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override {
    return changes_.ReadInts(buffers_[tensor], first, out);
  }

 private:
  PayloadSource older_, changes_;
  EntryWalk walk_;
  std::vector<uint64_t> starts_;   // by tensor: its first value's position
  std::vector<uint32_t> buffers_;  // by tensor: the changes' tensor; 0: none
};

absl::StatusOr<SparseEntries> EntriesAt(const ModelSpec& model, const ChangedPositions& positions, BlockSource& newer) {
  const TrainableVector order(model);
  SparseEntries entries;
  const uint64_t count = positions.count();
  entries.positions.reserve(count);
  entries.values.reserve(count);
  std::vector<float> block;
  for (uint64_t first = 0; first < order.size(); first += kBlockValues) {
    block.resize(std::min<uint64_t>(kBlockValues, order.size() - first));
    TW_RETURN_IF_ERROR(order.Read(newer, first, absl::MakeSpan(block)));
    positions.ForEach(first, block.size(), [&](uint64_t position) {
      entries.positions.push_back(position);
      entries.values.push_back(block[position - first]);
    });
  }
  return entries;
}

}  // namespace

uint64_t ChangedPositions::count() const {
  uint64_t count = 0;
  for (const uint64_t word : words_) count += static_cast<uint64_t>(__builtin_popcountll(word));
  return count;
}

void ChangedPositions::ForEach(uint64_t first, uint64_t count, absl::FunctionRef<void(uint64_t position)> visit) const {
  const uint64_t end = std::min(size_, first + count);
  for (uint64_t position = first; position < end;) {
    const uint64_t rest = words_[position / 64] >> position % 64;
    if (rest == 0) {
      position = (position / 64 + 1) * 64;
      continue;
    }
    position += static_cast<uint64_t>(__builtin_ctzll(rest));
    if (position < end) visit(position);
    ++position;
  }
}

absl::StatusOr<ChangedPositions> CompareVersions(const ModelSpec& model, BlockSource& older, BlockSource& newer) {
  const TrainableVector order(model);
  ChangedPositions changed(order.size());
  std::vector<float> before, after;
  for (uint64_t first = 0; first < order.size(); first += kBlockValues) {
    before.resize(std::min<uint64_t>(kBlockValues, order.size() - first));
    after.resize(before.size());
    TW_RETURN_IF_ERROR(order.Read(older, first, absl::MakeSpan(before)));
    TW_RETURN_IF_ERROR(order.Read(newer, first, absl::MakeSpan(after)));
    for (size_t i = 0; i < before.size(); ++i) {
      if (!SameBits(before[i], after[i])) changed.Add(first + i);
    }
  }
  return changed;
}

uint64_t EntriesIn(const Manifest& changes) {
  uint64_t entries = 0;
  for (const Segment& segment : changes.segments) entries += segment.tensor == 0 ? segment.count : 0;
  return entries;
}

absl::Status AddPositions(const PayloadReader& changes, ChangedPositions* out) {
  EntryWalk walk(changes, out->size());
  return walk.UpTo(out->size(), [out](uint64_t position, float) { out->Add(position); });
}

absl::StatusOr<PayloadRef> EncodeChanges(const ModelSpec& model, const ChangedPositions& positions, BlockSource& newer,
                                         const Digest& base_id, const std::string& path) {
  TW_ASSIGN_OR_RETURN(const SparseEntries entries, EntriesAt(model, positions, newer));
  EncodeOptions options{Representation::kModel, CodecSpec::Sparse(CodecSpec::Fp32()), base_id};
  options.entries = &entries;
  ReducedSource buffers({}, model, newer);
  return EncodePayload(ChangesSpec(model, entries.positions.size()), options, buffers, path);
}

absl::StatusOr<PayloadRef> ApplyChanges(const ModelSpec& model, const PayloadReader& older,
                                        const PayloadReader& changes, const std::string& path) {
  ChangedModel newer(model, older, changes);
  return EncodePayload(model, {Representation::kModel, CodecSpec::Fp32(), {}}, newer, path);
}

}  // namespace thinwire
