// A seeded random D x d matrix A that is never stored: y = A x takes d numbers to the D of a model, s = A^T g takes a
// gradient to d numbers, either in O(D log D) time. Both ends of a wire make the same A from a seed.
//
// The construction is Fastfood (Le, Sarlos, Smola, "Fastfood: approximating kernel expansions in loglinear time", ICML
// 2013), as used for training in a random subspace (Li et al., "Measuring the intrinsic dimension of objective
// landscapes", ICLR 2018). For each block q of b consecutive values of y, b a power of two,
//
//   y_q = 1 / sqrt(d b) * B'_q H_b G_q P_q H_b [B x; 0]
//
//   B    random signs, d of them
//   B'   random signs, one for each value, which repeat after 65,536 of them. They keep a gradient that is constant, or
//        like a Walsh function, from falling onto a few entries of G; that it is spread over 65,536 of them is enough,
//        and signs that repeat may be applied to a part of the block that is in cache.
//   H_b  the unnormalised Walsh-Hadamard transform (walsh_hadamard.h)
//   P_q  a permutation of the b values: rows of 16, one cache line, change places by a BitPermutation, and the lanes of
//        each row by xor with 4 random bits of its own
//   G_q  a diagonal of b independent numbers of mean 0 and variance 1: signs or normal numbers
//
// and rows from D on are dropped. ONE block over the whole model (b = 2^ceil(log2 D)) mixes all of it, takes a buffer
// of b values, and is what the literature means; SMALL blocks (say b = 2^16) do each block in cache and never hold more
// than one. The first transform is that of a vector of zeros but for its first d values, so it is the transform of size
// p = 2^ceil(log2 d) (at least 64), repeated b / p times: it is done once, at that size, for all blocks ("zero-padding
// identity"), and the permutation reads from a table of p values that stays in cache. That B is applied before, and
// shared by all blocks, is what makes this possible; G and P are new for each block.
//
// SCALE. E[A A^T] = I, so that A A^T g is an unbiased estimate of g. (Given B and P, a row of P H [B; 0] has d entries
// of magnitude 1, G is uncorrelated, and H_b H_b = b I.) Hence E[A^T A] = (D / d) I: columns have norm sqrt(D / d), not
// 1, and a function of theta0 + A s curves D / d times as much along s as along theta. A rate that suits the dense
// gradient must be multiplied by d / D for s: SubspaceRate(). With signs and D a multiple of b the columns are exactly
// orthogonal: A^T A = (D / d) I, not only on average. That is why signs are the default; they are cheaper, too.
//
// SAME BITS. A and the order of all sums are part of the definition: binary32 throughout (transforms as in
// walsh_hadamard.h, the diagonal a rounded product), but for A^T's sums over the repetitions, which are binary64 in
// ascending order. Integers, + - * and square roots only. Golden vectors in tests/golden/subspace; a changed matrix
// takes a new FastfoodDiagonal.
#ifndef THINWIRE_COMMON_SUBSPACE_FASTFOOD_H_
#define THINWIRE_COMMON_SUBSPACE_FASTFOOD_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/zeroed_memory.h"

namespace thinwire {

// What the diagonal G is made of. Never reused for another construction.
enum class FastfoodDiagonal : uint8_t { kSigns = 1, kNormal = 2 };

struct FastfoodSpec {
  uint64_t seed = 0;
  uint64_t dense_size = 0;     // D
  uint64_t subspace_size = 0;  // d
  uint64_t block_size = 0;     // b; 0: one block over all
  FastfoodDiagonal diagonal = FastfoodDiagonal::kSigns;
};

class FastfoodWorkspace;

// Immutable, thread-safe; small, may be copied.
class Fastfood {
 public:
  static constexpr uint64_t kMaxDenseSize = uint64_t{1} << 40;
  static constexpr uint64_t kMaxBlockSize = uint64_t{1} << 30;
  static constexpr uint64_t kMinBlockSize = 64;

  // Takes values [first, first + values.size()) of y. Spans come in ascending order, each value once.
  using DenseSink = absl::FunctionRef<absl::Status(uint64_t first, absl::Span<const float> values)>;
  // Gives values [first, first + out.size()) of g. Asked for in ascending order, each value once.
  using DenseSource = absl::FunctionRef<absl::Status(uint64_t first, absl::Span<float> out)>;

  // INVALID_ARGUMENT, naming value and limit, unless 1 <= d <= D <= kMaxDenseSize and b is 0 (then D <= kMaxBlockSize)
  // or a power of two from max(d, kMinBlockSize) to kMaxBlockSize that is not larger than D padded to a power of two.
  static absl::StatusOr<Fastfood> Create(const FastfoodSpec& spec);

  const FastfoodSpec& spec() const { return spec_; }
  // b, as chosen if the spec says 0.
  uint64_t block_size() const { return block_size_; }
  // p: d padded to a power of two.
  uint64_t table_size() const { return table_size_; }
  // What a workspace takes: b and p values of 4 bytes and p of 8.
  uint64_t WorkspaceBytes() const { return 4 * block_size_ + 12 * table_size_; }

  // The rate for s that moves theta as `dense_rate` does: dense_rate * d / D.
  double SubspaceRate(double dense_rate) const;

  // y = A x. INVALID_ARGUMENT if x has not d values, all finite, or the workspace is another's; errors of the sink end
  // it and are returned. Takes the time of one transform of b values for each block, and about a copy.
  absl::Status Apply(absl::Span<const float> x, FastfoodWorkspace* workspace, DenseSink sink) const;

  // s = A^T g, the adjoint of Apply: <A x, g> = <x, A^T g> but for rounding. INVALID_ARGUMENT if s has not d values,
  // the workspace is another's, or a result is not finite, because a value of g is not or overflows; s is then
  // unspecified. Errors of the source end it and are returned.
  absl::Status ApplyTranspose(DenseSource source, FastfoodWorkspace* workspace, absl::Span<float> s) const;

 private:
  class ValueSigns;

  explicit Fastfood(const FastfoodSpec& spec);
  uint64_t blocks() const { return (spec_.dense_size + block_size_ - 1) / block_size_; }
  absl::Status Check(absl::Span<const float> subspace, const FastfoodWorkspace& workspace) const;
  // x[i] * sign[i] * scale, in place: B and the scale, both ways.
  void ScaleAndSign(absl::Span<float> x) const;
  absl::Status ApplyBlock(uint64_t block, const ValueSigns& signs, FastfoodWorkspace* workspace, DenseSink sink) const;
  absl::Status TransposeBlock(uint64_t block, const ValueSigns& signs, FastfoodWorkspace* workspace,
                              DenseSource source) const;

  FastfoodSpec spec_;
  uint64_t block_size_, table_size_;
  float scale_;
};

// The memory that Apply and ApplyTranspose work in, for as many calls as wanted, one at a time. Costs nothing until
// touched; huge pages where the system has them.
class FastfoodWorkspace {
 public:
  // RESOURCE_EXHAUSTED, naming the bytes, if the system does not have them.
  static absl::StatusOr<FastfoodWorkspace> Create(const Fastfood& fastfood);

 private:
  friend class Fastfood;
  FastfoodWorkspace(uint64_t block_size, uint64_t table_size);

  absl::Span<float> block() { return {static_cast<float*>(block_.data()), block_size_}; }
  absl::Span<float> table() { return {static_cast<float*>(table_.data()), table_size_}; }
  absl::Span<double> sums() { return {static_cast<double*>(sums_.data()), table_size_}; }

  size_t block_size_, table_size_;
  ZeroedMemory block_, table_, sums_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_FASTFOOD_H_
