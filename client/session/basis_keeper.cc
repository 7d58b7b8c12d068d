#include "client/session/basis_keeper.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/subspace/trainable_vector.h"

namespace thinwire {
namespace {

constexpr char kEnding[] = ".basis";
constexpr char kWritten[] = "new.tmp";

std::optional<HeldBasis> ParseName(absl::string_view name) {
  if (!absl::ConsumeSuffix(&name, kEnding)) return std::nullopt;
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(name, absl::MaxSplits('-', 1));
  HeldBasis basis;
  const absl::StatusOr<Digest> sha256 = Digest::FromHex(parts.second);
  if (!absl::SimpleAtoi(parts.first, &basis.epoch) || !sha256.ok()) return std::nullopt;
  basis.sha256 = *sha256;
  return basis;
}

}  // namespace

std::string BasisFileName(const HeldBasis& basis) {
  return absl::StrCat(basis.epoch, "-", basis.sha256.Hex(), kEnding);
}

std::string BasisKeeper::PathOf(const HeldBasis& basis) const { return JoinPath(directory_, BasisFileName(basis)); }

std::optional<HeldBasis> BasisKeeper::held() const {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  std::optional<HeldBasis> newest;
  for (size_t i = 0; names.ok() && i < names->size(); ++i) {
    const std::optional<HeldBasis> basis = ParseName((*names)[i]);
    if (basis.has_value() && (!newest.has_value() || basis->epoch > newest->epoch)) newest = basis;
  }
  return newest;
}

absl::StatusOr<BasisFile> BasisKeeper::Open(const HeldBasis& basis, uint64_t count) const {
  TW_ASSIGN_OR_RETURN(BasisFile file, BasisFile::Open(PathOf(basis), count));
  TW_ASSIGN_OR_RETURN(const Digest actual, file.Hash());
  if (actual == basis.sha256) return file;
  return absl::DataLossError(absl::StrCat(PathOf(basis), " has the SHA-256 ", actual.Hex()));
}

absl::Status BasisKeeper::Install(const std::string& written, const HeldBasis& basis) {
  TW_RETURN_IF_ERROR(RenameDurably(written, PathOf(basis)));
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  for (const std::string& name : names) {
    if (name != BasisFileName(basis)) TW_RETURN_IF_ERROR(RemoveFile(JoinPath(directory_, name)));
  }
  return absl::OkStatus();
}

absl::Status BasisKeeper::Take(uint64_t epoch, uint64_t count,
                               absl::FunctionRef<absl::Status(uint64_t first, absl::Span<float> out)> read) {
  TW_RETURN_IF_ERROR(MakeDirectories(directory_));
  const std::string written = JoinPath(directory_, kWritten);
  TW_ASSIGN_OR_RETURN(const Digest sha256, WriteBasis(written, count, read));
  return Install(written, {epoch, sha256});
}

absl::Status BasisKeeper::TakeInitial(const ModelState& initial) {
  const TrainableVector order(initial.spec);
  ModelStateSource source(initial);
  return Take(0, order.size(), [&](uint64_t first, absl::Span<float> out) { return order.Read(source, first, out); });
}

absl::Status BasisKeeper::Advance(const std::vector<Fastfood>& matrices,
                                  const std::vector<std::vector<float>>& vectors) {
  const std::optional<HeldBasis> old = held();
  if (!old.has_value()) return absl::NotFoundError("there is no basis to fold coordinates into");
  const std::string written = JoinPath(directory_, kWritten);
  TW_ASSIGN_OR_RETURN(const Digest sha256, FoldBasis(PathOf(*old), matrices, vectors, written));
  return Install(written, {old->epoch + 1, sha256});
}

absl::Status BasisKeeper::Drop() {
  if (!FileExists(directory_)) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  for (const std::string& name : names) TW_RETURN_IF_ERROR(RemoveFile(JoinPath(directory_, name)));
  return absl::OkStatus();
}

}  // namespace thinwire
