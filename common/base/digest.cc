#include "common/base/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace thinwire {

std::string Digest::Hex() const { return absl::BytesToHexString(AsBytes()); }

absl::StatusOr<Digest> Digest::FromBytes(absl::string_view raw) {
  Digest digest;
  if (raw.size() != digest.bytes.size()) {
    return absl::InvalidArgumentError(absl::StrCat("a SHA-256 is 32 bytes, got ", raw.size()));
  }
  std::copy(raw.begin(), raw.end(), digest.bytes.begin());
  return digest;
}

absl::StatusOr<Digest> Digest::FromHex(absl::string_view hex) {
  const bool digits = std::all_of(hex.begin(), hex.end(), [](unsigned char c) { return std::isxdigit(c); });
  if (hex.size() != 64 || !digits) {
    return absl::InvalidArgumentError(
        absl::StrCat("a SHA-256 is 64 hexadecimal digits, got '", hex.substr(0, 80), "'"));
  }
  return FromBytes(absl::HexStringToBytes(hex));
}

Digest Sha256(absl::string_view data) {
  Sha256Stream stream;
  stream.Update(data);
  return stream.Finish();
}

struct Sha256Stream::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256Stream::Sha256Stream() : impl_(std::make_unique<Impl>()) {
  EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr);
}
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Update(absl::string_view data) { EVP_DigestUpdate(impl_->context, data.data(), data.size()); }

Digest Sha256Stream::Finish() {
  Digest digest;
  unsigned int size = 0;
  EVP_DigestFinal_ex(impl_->context, digest.bytes.data(), &size);
  return digest;
}

}  // namespace thinwire
