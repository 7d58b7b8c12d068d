#include "common/subspace/fastfood.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/random_bits.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/subspace/fastfood_rows.h"
#include "common/subspace/kernels/walsh_hadamard_kernels.h"
#include "common/subspace/walsh_hadamard.h"

namespace thinwire {
namespace {

uint64_t PowerOfTwoFrom(uint64_t size) {
  uint64_t power = Fastfood::kMinBlockSize;
  while (power < size) power *= 2;
  return power;
}

absl::Status CheckSizes(const FastfoodSpec& spec) {
  if (spec.dense_size == 0 || spec.dense_size > Fastfood::kMaxDenseSize) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a subspace of ", spec.dense_size, " values was asked for; there can be 1 to ", Fastfood::kMaxDenseSize));
  }
  if (spec.subspace_size == 0 || spec.subspace_size > spec.dense_size) {
    return absl::InvalidArgumentError(absl::StrCat("a subspace of ", spec.subspace_size,
                                                   " dimensions was asked for; of ", spec.dense_size,
                                                   " values there can be 1 to ", spec.dense_size));
  }
  if (spec.diagonal != FastfoodDiagonal::kSigns && spec.diagonal != FastfoodDiagonal::kNormal) {
    return absl::InvalidArgumentError(
        absl::StrCat("diagonal ", static_cast<int>(spec.diagonal), " is unknown; 1 is signs and 2 normal numbers"));
  }
  return absl::OkStatus();
}

absl::Status CheckBlockSize(const FastfoodSpec& spec) {
  if (spec.block_size == 0) {
    if (spec.dense_size <= Fastfood::kMaxBlockSize) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("one block over ", spec.dense_size,
                                                   " values was asked for; a block holds at most ",
                                                   Fastfood::kMaxBlockSize, ": name a block size"));
  }
  const uint64_t least = PowerOfTwoFrom(spec.subspace_size);
  const uint64_t most = std::min(Fastfood::kMaxBlockSize, PowerOfTwoFrom(spec.dense_size));
  if ((spec.block_size & (spec.block_size - 1)) == 0 && spec.block_size >= least && spec.block_size <= most) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "blocks of ", spec.block_size, " values were asked for; with ", spec.subspace_size, " dimensions of ",
      spec.dense_size, " values it can be a power of two from ", least, " to ", most, ", or 0 for one block over all"));
}

absl::Status CheckFinite(absl::Span<const float> values, const char* what) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return absl::InvalidArgumentError(absl::StrCat(what, " ", i, " is ", values[i]));
  }
  return absl::OkStatus();
}

// Parts of a block that stay in cache from one step to the next.
size_t PartSize(size_t block) { return std::min(block, kWalshBlockValues); }

const float* NextPart(absl::Span<const float> values, size_t at) {
  return at < values.size() ? values.data() + at : nullptr;
}

int Levels(size_t size) {
  int levels = 0;
  while ((size_t{1} << levels) < size) ++levels;
  return levels;
}

}  // namespace

// B', as bits of words.
class Fastfood::ValueSigns {
 public:
  explicit ValueSigns(uint64_t seed) {
    FillRandomWords(DeriveKey({seed, KeyWord("fastfood signs of values")}), 0, absl::MakeSpan(words_));
  }
  // Values first, ... of y or g: within one period of the signs.
  void Flip(uint64_t first, absl::Span<float> values) const {
    FlipSigns(words_.data() + first % kWalshBlockValues / 32, values.size(), values.data());
  }

 private:
  std::array<uint32_t, kWalshBlockValues / 32> words_;
};

absl::StatusOr<Fastfood> Fastfood::Create(const FastfoodSpec& spec) {
  TW_RETURN_IF_ERROR(CheckSizes(spec));
  TW_RETURN_IF_ERROR(CheckBlockSize(spec));
  return Fastfood(spec);
}

Fastfood::Fastfood(const FastfoodSpec& spec)
    : spec_(spec),
      block_size_(spec.block_size == 0 ? PowerOfTwoFrom(spec.dense_size) : spec.block_size),
      table_size_(PowerOfTwoFrom(spec.subspace_size)),
      // The root is of an exact integer below 2^70 and rounded once, then the quotient, then to binary32.
      scale_(static_cast<float>(
          1.0 / std::sqrt(static_cast<double>(spec.subspace_size) * static_cast<double>(block_size_)))) {}

double Fastfood::SubspaceRate(double dense_rate) const {
  return dense_rate * static_cast<double>(spec_.subspace_size) / static_cast<double>(spec_.dense_size);
}

absl::Status Fastfood::Check(absl::Span<const float> subspace, const FastfoodWorkspace& workspace) const {
  if (subspace.size() != spec_.subspace_size) {
    return absl::InvalidArgumentError(absl::StrCat(subspace.size(), " coefficients were given for a subspace of ",
                                                   spec_.subspace_size, " dimensions"));
  }
  if (workspace.block_size_ != block_size_ || workspace.table_size_ != table_size_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a workspace for blocks of ", workspace.block_size_, " values and a table of ", workspace.table_size_,
        " was given; this takes ", block_size_, " and ", table_size_, ": create one for this matrix"));
  }
  return absl::OkStatus();
}

void Fastfood::ScaleAndSign(absl::Span<float> x) const {
  constexpr size_t kWords = 256, kSigns = 32 * kWords;
  std::array<uint32_t, kWords> words;
  const uint64_t key = DeriveKey({spec_.seed, KeyWord("fastfood signs of coefficients")});
  for (size_t at = 0; at < x.size(); at += kSigns) {
    const size_t count = std::min(kSigns, x.size() - at);
    FillRandomWords(key, at / 128, absl::MakeSpan(words).subspan(0, (count + 31) / 32));
    for (size_t i = 0; i < count; ++i) {
      x[at + i] *= ((words[i / 32] >> (i % 32)) & 1) != 0 ? -scale_ : scale_;
    }
  }
}

absl::Status Fastfood::Apply(absl::Span<const float> x, FastfoodWorkspace* workspace, DenseSink sink) const {
  TW_RETURN_IF_ERROR(Check(x, *workspace));
  TW_RETURN_IF_ERROR(CheckFinite(x, "coefficient"));
  const absl::Span<float> table = workspace->table();
  std::copy(x.begin(), x.end(), table.begin());
  ScaleAndSign(table.subspan(0, x.size()));
  TW_RETURN_IF_ERROR(WalshHadamardOfPart(table, x.size(), table.size()));
  const ValueSigns signs(spec_.seed);
  for (uint64_t block = 0; block < blocks(); ++block) TW_RETURN_IF_ERROR(ApplyBlock(block, signs, workspace, sink));
  return absl::OkStatus();
}

absl::Status Fastfood::ApplyBlock(uint64_t block, const ValueSigns& signs, FastfoodWorkspace* workspace,
                                  DenseSink sink) const {
  const absl::Span<float> values = workspace->block();
  const uint64_t first = block * block_size_;
  const size_t live = std::min<uint64_t>(values.size(), spec_.dense_size - first), part = PartSize(values.size());
  FastfoodRows rows(spec_, block, values.size(), table_size_);
  for (size_t at = 0; at < values.size(); at += part) {
    rows.Gather(workspace->table(), at, values.subspan(at, part));
    TransformWalshBlock(values.data() + at, Levels(part), NextPart(values, at + part));
    signs.Flip(first + at, values.subspan(at, part));  // the same for all parts, so that it may precede what is between
  }
  const size_t parts = values.size() / part;
  if (parts > 1) TransformBetweenWalshBlocks(values.data(), Levels(parts), parts, (live + part - 1) / part);
  return sink(first, values.subspan(0, live));
}

absl::Status Fastfood::ApplyTranspose(DenseSource source, FastfoodWorkspace* workspace, absl::Span<float> s) const {
  TW_RETURN_IF_ERROR(Check(s, *workspace));
  const absl::Span<double> sums = workspace->sums();
  const absl::Span<float> table = workspace->table();
  std::fill(sums.begin(), sums.end(), 0.0);
  const ValueSigns signs(spec_.seed);
  for (uint64_t block = 0; block < blocks(); ++block)
    TW_RETURN_IF_ERROR(TransposeBlock(block, signs, workspace, source));
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(sums[i]);
  TW_RETURN_IF_ERROR(WalshHadamardOfPart(table, table.size(), s.size()));
  std::copy_n(table.begin(), s.size(), s.begin());
  ScaleAndSign(s);
  return CheckFinite(s, "the gradient is not finite or overflows: its coefficient");
}

absl::Status Fastfood::TransposeBlock(uint64_t block, const ValueSigns& signs, FastfoodWorkspace* workspace,
                                      DenseSource source) const {
  const absl::Span<float> values = workspace->block();
  const uint64_t first = block * block_size_;
  const size_t live = std::min<uint64_t>(values.size(), spec_.dense_size - first), part = PartSize(values.size());
  for (size_t at = 0; at < live; at += part) {
    const size_t count = std::min(part, live - at);
    TW_RETURN_IF_ERROR(source(first + at, values.subspan(at, count)));
    std::fill_n(values.data() + at + count, part - count, 0.0f);
    signs.Flip(first + at, values.subspan(at, part));
    TransformWalshBlock(values.data() + at, Levels(part), NextPart(values, at + part));
  }
  const size_t parts = values.size() / part;
  if (parts > 1) TransformBetweenWalshBlocks(values.data(), Levels(parts), (live + part - 1) / part, parts);
  FastfoodRows(spec_, block, values.size(), table_size_).Scatter(values, workspace->sums());
  return absl::OkStatus();
}

FastfoodWorkspace::FastfoodWorkspace(uint64_t block_size, uint64_t table_size)
    : block_size_(block_size),
      table_size_(table_size),
      block_(block_size * sizeof(float)),
      table_(table_size * sizeof(float)),
      sums_(table_size * sizeof(double)) {}

absl::StatusOr<FastfoodWorkspace> FastfoodWorkspace::Create(const Fastfood& fastfood) {
  FastfoodWorkspace workspace(fastfood.block_size(), fastfood.table_size());
  if (!workspace.block_.ok() || !workspace.table_.ok() || !workspace.sums_.ok()) {
    return absl::ResourceExhaustedError(absl::StrCat("the system does not have the ", fastfood.WorkspaceBytes(),
                                                     " bytes that blocks of ", fastfood.block_size(),
                                                     " values take: choose smaller blocks"));
  }
  return workspace;
}

}  // namespace thinwire
