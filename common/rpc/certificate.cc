#include "common/rpc/certificate.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr char kRolePrefix[] = "thinwire:role/";
constexpr PeerRole kRoles[] = {PeerRole::kClient, PeerRole::kOperator, PeerRole::kServer};

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

BioPtr ReadBio(absl::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
}

// Keys with a pass phrase are refused instead of asked for: a daemon has nobody to ask.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::Time FromAsn1(const ASN1_TIME* time) {
  std::tm broken = {};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return absl::InfinitePast();
  return absl::FromTM(broken, absl::UTCTimeZone());
}

std::string Text(const ASN1_STRING* string) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                     static_cast<size_t>(ASN1_STRING_length(string)));
}

std::string CommonName(const X509* x509) {
  const X509_NAME* const subject = X509_get_subject_name(x509);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? "" : Text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string IpText(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int size = ASN1_STRING_length(address);
  if (size == 4) inet_ntop(AF_INET, ASN1_STRING_get0_data(address), text, sizeof(text));
  if (size == 16) inet_ntop(AF_INET6, ASN1_STRING_get0_data(address), text, sizeof(text));
  return text;
}

struct AlternativeNames {
  std::vector<std::string> uris;
  std::vector<std::string> hosts;
};

AlternativeNames ReadAlternativeNames(const X509* x509) {
  AlternativeNames result;
  auto* const names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, /*crit=*/nullptr, /*idx=*/nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) result.uris.push_back(Text(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) result.hosts.push_back(Text(name->d.dNSName));
    if (name->type == GEN_IPADD) result.hosts.push_back(IpText(name->d.iPAddress));
  }
  GENERAL_NAMES_free(names);
  return result;
}

std::string SerialText(const X509* x509) {
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), nullptr),
                                                           &BN_free);
  char* const hex = number == nullptr ? nullptr : BN_bn2hex(number.get());
  const absl::StatusOr<std::string> serial = NormalSerial(hex == nullptr ? "" : hex);
  OPENSSL_free(hex);
  return serial.value_or("");
}

using StorePtr = std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)>;

absl::StatusOr<StorePtr> ReadAuthorities(absl::string_view pem) {
  StorePtr store(X509_STORE_new(), &X509_STORE_free);
  const BioPtr bio = ReadBio(pem);
  int count = 0;
  while (X509* const authority = PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr)) {
    X509_STORE_add_cert(store.get(), authority);
    X509_free(authority);
    ++count;
  }
  ERR_clear_error();  // the end of the text
  if (count == 0) return absl::InvalidArgumentError("holds no certificate in PEM form");
  return store;
}

absl::Status ExplainChain(int error, const CertificateInfo& info, absl::Time now) {
  const auto day = [](absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone()); };
  if (error == X509_V_ERR_CERT_HAS_EXPIRED && info.not_after <= now) {
    return absl::FailedPreconditionError(
        absl::StrCat("expired on ", day(info.not_after), "; get a new one (thinwire certs ... --replace)"));
  }
  if (error == X509_V_ERR_CERT_NOT_YET_VALID && info.not_before > now) {
    return absl::FailedPreconditionError(absl::StrCat("is not valid before ", day(info.not_before), ", and it is ",
                                                      day(now), " here; is this machine's clock right?"));
  }
  if (error == X509_V_ERR_CERT_HAS_EXPIRED) {
    return absl::FailedPreconditionError(
        "is signed by an authority whose own certificate has expired; a new authority "
        "is needed (thinwire certs init)");
  }
  return absl::FailedPreconditionError(
      absl::StrCat("was not issued by the authority in the CA file (", X509_verify_cert_error_string(error),
                   "); use the CA file that came with it, or a bundle of both authorities"));
}

}  // namespace

const char* RoleName(PeerRole role) {
  switch (role) {
    case PeerRole::kClient:
      return "client";
    case PeerRole::kOperator:
      return "operator";
    case PeerRole::kServer:
      return "server";
  }
  return "?";
}

std::string RoleUri(PeerRole role) { return absl::StrCat(kRolePrefix, RoleName(role)); }

std::optional<PeerRole> RoleOfUris(const std::vector<std::string>& uris) {
  std::optional<PeerRole> result;
  for (const std::string& uri : uris) {
    for (const PeerRole role : kRoles) {
      if (uri != RoleUri(role)) continue;
      if (result.has_value() && *result != role) return std::nullopt;
      result = role;
    }
  }
  return result;
}

absl::StatusOr<Certificate> Certificate::FromPem(absl::string_view pem) {
  const BioPtr bio = ReadBio(pem);
  std::shared_ptr<X509> x509(PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr), &X509_free);
  ERR_clear_error();
  if (x509 == nullptr) return absl::InvalidArgumentError("holds no certificate in PEM form");
  return Certificate(std::move(x509));
}

CertificateInfo Certificate::Describe() const {
  AlternativeNames names = ReadAlternativeNames(x509_.get());
  CertificateInfo info;
  info.name = CommonName(x509_.get());
  info.role = RoleOfUris(names.uris);
  info.serial = SerialText(x509_.get());
  info.not_before = FromAsn1(X509_get0_notBefore(x509_.get()));
  info.not_after = FromAsn1(X509_get0_notAfter(x509_.get()));
  info.hosts = std::move(names.hosts);
  return info;
}

absl::Status Certificate::CheckIssuedBy(absl::string_view ca_pem, absl::Time now) const {
  TW_ASSIGN_OR_RETURN(const StorePtr store, ReadAuthorities(ca_pem));
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                &X509_STORE_CTX_free);
  X509_STORE_CTX_init(context.get(), store.get(), x509_.get(), /*chain=*/nullptr);
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), absl::ToTimeT(now));
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return ExplainChain(error, Describe(), now);
}

absl::Status Certificate::CheckKey(absl::string_view key_pem) const {
  const BioPtr bio = ReadBio(key_pem);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr), &EVP_PKEY_free);
  const bool matches = key != nullptr && X509_check_private_key(x509_.get(), key.get()) == 1;
  ERR_clear_error();
  if (key == nullptr) return absl::FailedPreconditionError("holds no private key in PEM form without a pass phrase");
  if (!matches)
    return absl::FailedPreconditionError("is not the key of the certificate; give the pair that belongs together");
  return absl::OkStatus();
}

absl::StatusOr<std::string> NormalSerial(absl::string_view text) {
  const bool good = !text.empty() && text.size() <= 40 && std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
  if (!good)
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a serial number of 1 to 40 hex digits"));
  const size_t digits = std::min(text.find_first_not_of('0'), text.size() - 1);
  return absl::AsciiStrToUpper(text.substr(digits));
}

}  // namespace thinwire
