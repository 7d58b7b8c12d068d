#include "common/subspace/basis_file.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "common/codec/little_endian.h"
#include "common/tensor/model_spec.h"

namespace thinwire {
namespace {

std::string Bytes(absl::Span<const float> values) {
  std::string bytes(4 * values.size(), '\0');
  StoreAllLittle<uint32_t>(values.data(), values.size(), &bytes[0]);
  return bytes;
}

absl::Status CheckFinite(uint64_t first, absl::Span<const float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat("value ", first + i, " of the model would be ", values[i],
                                                   " after folding the epoch; lower the learning rate"));
  }
  return absl::OkStatus();
}

// One addition to every value: reads from `in`, writes to `out`, which may be the same file.
class Adder {
 public:
  Adder(const BasisFile& in, File* out, Sha256Stream* hash) : in_(in), out_(out), hash_(hash) {}

  absl::Status Add(uint64_t first, absl::Span<const float> values) {
    for (size_t at = 0; at < values.size(); at += kBlockValues) {
      const absl::Span<const float> part = values.subspan(at, kBlockValues);
      block_.resize(part.size());
      TW_RETURN_IF_ERROR(in_.Read(first + at, absl::MakeSpan(block_)));
      for (size_t i = 0; i < part.size(); ++i) block_[i] += part[i];
      TW_RETURN_IF_ERROR(CheckFinite(first + at, block_));
      const std::string bytes = Bytes(block_);
      if (hash_ != nullptr) hash_->Update(bytes);
      TW_RETURN_IF_ERROR(out_->WriteAt(4 * (first + at), bytes));
    }
    return absl::OkStatus();
  }

 private:
  const BasisFile& in_;
  File* const out_;
  Sha256Stream* const hash_;  // null: not the last addition
  std::vector<float> block_;
};

}  // namespace

absl::StatusOr<BasisFile> BasisFile::Open(const std::string& path, uint64_t count) {
  TW_ASSIGN_OR_RETURN(File file, File::OpenForRead(path));
  TW_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  if (size == 4 * count) return BasisFile(std::move(file), count);
  return absl::DataLossError(absl::StrCat(path, " has ", size, " bytes, ", count, " values take ", 4 * count));
}

absl::Status BasisFile::Read(uint64_t first, absl::Span<float> out) const {
  std::string bytes(4 * out.size(), '\0');
  TW_RETURN_IF_ERROR(file_.ReadAt(4 * first, bytes.size(), &bytes[0]));
  LoadAllLittle<uint32_t>(bytes.data(), out.size(), out.data());
  return absl::OkStatus();
}

absl::Status BasisFile::ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) {
  return absl::InvalidArgumentError("a basis has no integers");
}

absl::StatusOr<Digest> BasisFile::Hash() const {
  Sha256Stream hash;
  std::string bytes;
  for (uint64_t at = 0; at < count_; at += kBlockValues) {
    bytes.resize(static_cast<size_t>(4 * std::min<uint64_t>(kBlockValues, count_ - at)));
    TW_RETURN_IF_ERROR(file_.ReadAt(4 * at, bytes.size(), &bytes[0]));
    hash.Update(bytes);
  }
  return hash.Finish();
}

absl::StatusOr<Digest> WriteBasis(const std::string& path, uint64_t count,
                                  absl::FunctionRef<absl::Status(uint64_t first, absl::Span<float> out)> read) {
  TW_ASSIGN_OR_RETURN(File file, File::Create(path));
  Sha256Stream hash;
  std::vector<float> block;
  for (uint64_t at = 0; at < count; at += kBlockValues) {
    block.resize(static_cast<size_t>(std::min<uint64_t>(kBlockValues, count - at)));
    TW_RETURN_IF_ERROR(read(at, absl::MakeSpan(block)));
    const std::string bytes = Bytes(block);
    hash.Update(bytes);
    TW_RETURN_IF_ERROR(file.WriteAt(4 * at, bytes));
  }
  TW_RETURN_IF_ERROR(file.Sync());
  return hash.Finish();
}

absl::StatusOr<Digest> FoldBasis(const std::string& old_path, const std::vector<Fastfood>& matrices,
                                 const std::vector<std::vector<float>>& vectors, const std::string& path) {
  if (matrices.empty() || matrices.size() != vectors.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(vectors.size(), " vectors were given for ", matrices.size(), " matrices"));
  }
  const uint64_t count = matrices[0].spec().dense_size;
  TW_ASSIGN_OR_RETURN(const BasisFile old, BasisFile::Open(old_path, count));
  TW_ASSIGN_OR_RETURN(FastfoodWorkspace workspace, FastfoodWorkspace::Create(matrices[0]));
  TW_ASSIGN_OR_RETURN(File out, File::Create(path));
  Sha256Stream hash;
  for (size_t k = 0; k < matrices.size(); ++k) {
    // From the second on the sum so far is in the new file.
    absl::StatusOr<BasisFile> so_far =
        k == 0 ? absl::StatusOr<BasisFile>(absl::NotFoundError("")) : BasisFile::Open(path, count);
    if (k > 0) TW_RETURN_IF_ERROR(so_far.status());
    Adder adder(k == 0 ? old : *so_far, &out, k + 1 == matrices.size() ? &hash : nullptr);
    TW_RETURN_IF_ERROR(matrices[k].Apply(vectors[k], &workspace, [&](uint64_t first, absl::Span<const float> values) {
      return adder.Add(first, values);
    }));
  }
  TW_RETURN_IF_ERROR(out.Sync());
  return hash.Finish();
}

}  // namespace thinwire
