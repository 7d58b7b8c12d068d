#include "client/cli/certificate_maker.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr int kSerialBits = 127;
constexpr long kX509Version3 = 2;  // counted from 0

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

int NoPassphrase(char*, int, int, void*) { return -1; }

// Of the newest error that libcrypto has; what led to it is a lack of memory or of random numbers.
absl::Status CryptoError(const char* doing) {
  std::array<char, 256> text = {};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return absl::InternalError(absl::StrCat("libcrypto fails at ", doing, ": ", text.data()));
}

std::string Content(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::StatusOr<CertifiedKey> ToPem(X509* x509, EVP_PKEY* key) {
  const BioPtr certificate(BIO_new(BIO_s_mem()), &BIO_free);
  const BioPtr secret(BIO_new(BIO_s_mem()), &BIO_free);
  if (PEM_write_bio_X509(certificate.get(), x509) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return CryptoError("writing PEM");
  }
  return CertifiedKey{Content(certificate.get()), Content(secret.get())};
}

bool SetSerial(X509* x509) {
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(BN_new(), &BN_free);
  return BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)) != nullptr;
}

bool SetName(X509* x509, const std::string& name) {
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName, MBSTRING_ASC,
                                    reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()),
                                    -1, 0) == 1;
}

// `text` as the configuration files of OpenSSL have it; never text from outside.
bool AddExtension(X509* x509, X509* issuer, int nid, const char* text) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, text), &X509_EXTENSION_free);
  return extension != nullptr && X509_add_ext(x509, extension.get(), -1) == 1;
}

GENERAL_NAME* MakeStringName(int type, const std::string& text) {
  ASN1_IA5STRING* const string = ASN1_IA5STRING_new();
  ASN1_STRING_set(string, text.data(), static_cast<int>(text.size()));
  GENERAL_NAME* const name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, string);
  return name;
}

GENERAL_NAME* MakeHostName(const std::string& host) {
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(host.c_str());
  ERR_clear_error();  // most hosts are no addresses
  if (address == nullptr) return MakeStringName(GEN_DNS, host);
  GENERAL_NAME* const name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, GEN_IPADD, address);
  return name;
}

bool AddAlternativeNames(X509* x509, const CertificateRequest& request) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(GENERAL_NAMES_new(), &GENERAL_NAMES_free);
  sk_GENERAL_NAME_push(names.get(), MakeStringName(GEN_URI, RoleUri(request.role)));
  for (const std::string& host : request.hosts) sk_GENERAL_NAME_push(names.get(), MakeHostName(host));
  return X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), /*crit=*/0, X509V3_ADD_DEFAULT) == 1;
}

// All that a certificate has before its issuer and its extensions.
absl::StatusOr<X509Ptr> Begin(const std::string& name, const Validity& validity, EVP_PKEY* key) {
  X509Ptr x509(X509_new(), &X509_free);
  const bool done = x509 != nullptr && X509_set_version(x509.get(), kX509Version3) == 1 && SetSerial(x509.get()) &&
                    SetName(x509.get(), name) &&
                    ASN1_TIME_set(X509_getm_notBefore(x509.get()), absl::ToTimeT(validity.not_before)) != nullptr &&
                    ASN1_TIME_set(X509_getm_notAfter(x509.get()), absl::ToTimeT(validity.not_after)) != nullptr &&
                    X509_set_pubkey(x509.get(), key) == 1;
  if (!done) return CryptoError("making a certificate");
  return x509;
}

absl::StatusOr<KeyPtr> NewKey() {
  KeyPtr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  if (key == nullptr) return CryptoError("making a key");
  return key;
}

bool AddAuthorityExtensions(X509* x509) {
  return AddExtension(x509, x509, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
         AddExtension(x509, x509, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         AddExtension(x509, x509, NID_subject_key_identifier, "hash");
}

bool AddLeafExtensions(X509* x509, X509* issuer, const CertificateRequest& request) {
  const char* const usage = request.role == PeerRole::kServer ? "serverAuth" : "clientAuth";
  return AddExtension(x509, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         AddExtension(x509, issuer, NID_key_usage, "critical,digitalSignature") &&
         AddExtension(x509, issuer, NID_ext_key_usage, usage) &&
         AddExtension(x509, issuer, NID_subject_key_identifier, "hash") &&
         AddExtension(x509, issuer, NID_authority_key_identifier, "keyid:always") && AddAlternativeNames(x509, request);
}

absl::Status CheckRequest(const CertificateRequest& request) {
  TW_RETURN_IF_ERROR(CheckCertificateName(request.name));
  for (const std::string& host : request.hosts) TW_RETURN_IF_ERROR(CheckHost(host));
  if (request.role == PeerRole::kServer && request.hosts.empty()) {
    return absl::InvalidArgumentError("a server's certificate needs the hosts by which it is dialled");
  }
  return absl::OkStatus();
}

struct Authority {
  X509Ptr x509;
  KeyPtr key;
};

absl::StatusOr<Authority> ReadAuthority(const CertifiedKey& pem) {
  const BioPtr certificate(BIO_new_mem_buf(pem.certificate.data(), static_cast<int>(pem.certificate.size())),
                           &BIO_free);
  const BioPtr secret(BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size())), &BIO_free);
  Authority authority{X509Ptr(PEM_read_bio_X509(certificate.get(), nullptr, &NoPassphrase, nullptr), &X509_free),
                      KeyPtr(PEM_read_bio_PrivateKey(secret.get(), nullptr, &NoPassphrase, nullptr), &EVP_PKEY_free)};
  const bool good = authority.x509 != nullptr && authority.key != nullptr && X509_check_ca(authority.x509.get()) == 1 &&
                    X509_check_private_key(authority.x509.get(), authority.key.get()) == 1;
  ERR_clear_error();
  if (good) return authority;
  return absl::InvalidArgumentError("the authority's certificate and key are not a pair that can sign");
}

bool IsPlain(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-'; }

}  // namespace

absl::StatusOr<CertifiedKey> MakeAuthority(const std::string& name, const Validity& validity) {
  TW_ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  TW_ASSIGN_OR_RETURN(const X509Ptr x509, Begin(name, validity, key.get()));
  const bool done = X509_set_issuer_name(x509.get(), X509_get_subject_name(x509.get())) == 1 &&
                    AddAuthorityExtensions(x509.get()) && X509_sign(x509.get(), key.get(), EVP_sha256()) != 0;
  if (!done) return CryptoError("signing");
  return ToPem(x509.get(), key.get());
}

absl::StatusOr<CertifiedKey> MakeCertificate(const CertifiedKey& authority, const CertificateRequest& request) {
  TW_RETURN_IF_ERROR(CheckRequest(request));
  TW_ASSIGN_OR_RETURN(const Authority issuer, ReadAuthority(authority));
  TW_ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  TW_ASSIGN_OR_RETURN(const X509Ptr x509, Begin(request.name, request.validity, key.get()));
  const bool done = X509_set_issuer_name(x509.get(), X509_get_subject_name(issuer.x509.get())) == 1 &&
                    AddLeafExtensions(x509.get(), issuer.x509.get(), request) &&
                    X509_sign(x509.get(), issuer.key.get(), EVP_sha256()) != 0;
  if (!done) return CryptoError("signing");
  return ToPem(x509.get(), key.get());
}

absl::Status CheckCertificateName(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 64 && name[0] != '.' && name[0] != '-' &&
                    std::all_of(name.begin(), name.end(), IsPlain);
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "name '", name, "' must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter, a digit or _, such as site-a"));
}

absl::Status CheckHost(const std::string& host) {
  unsigned char address[16];
  const bool is_ip =
      ::inet_pton(AF_INET, host.c_str(), address) == 1 || ::inet_pton(AF_INET6, host.c_str(), address) == 1;
  const bool is_name = !host.empty() && host.size() <= 253 && host[0] != '-' && host[0] != '.' &&
                       std::all_of(host.begin(), host.end(), IsPlain);
  if (is_ip || is_name) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "host '", host, "' must be a DNS name or an IP address, without port, such as fed.example.org or 10.0.0.5"));
}

}  // namespace thinwire
