// X.509 certificates as this system uses them: who holds one, in what role, until when, and whether it can be trusted.
//
// The holder's name is the subject's common name; for a client it is the client id. The role is a URI among the subject
// alternative names, "thinwire:role/client", "thinwire:role/operator" or "thinwire:role/server".
#ifndef THINWIRE_COMMON_RPC_CERTIFICATE_H_
#define THINWIRE_COMMON_RPC_CERTIFICATE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct x509_st;

namespace thinwire {

enum class PeerRole { kClient, kOperator, kServer };

// "client", "operator" or "server".
const char* RoleName(PeerRole role);
// "thinwire:role/client", and so on.
std::string RoleUri(PeerRole role);
// The role that a list of URIs names; none if they name no role, or more than one.
std::optional<PeerRole> RoleOfUris(const std::vector<std::string>& uris);

// What a certificate says, without a judgement on it.
struct CertificateInfo {
  std::string name;  // common name
  std::optional<PeerRole> role;
  std::string serial;  // hexadecimal, upper case, without leading zeros
  absl::Time not_before;
  absl::Time not_after;
  std::vector<std::string> hosts;  // DNS names and IP addresses that it stands for
};

// Thread-compatible, cheap to move.
class Certificate {
 public:
  // The first certificate of a PEM text. INVALID_ARGUMENT if there is none.
  static absl::StatusOr<Certificate> FromPem(absl::string_view pem);

  CertificateInfo Describe() const;
  // OK if `ca_pem`, one or more certificates, vouches for this one at `now`. FAILED_PRECONDITION saying which of these
  // it is: expired, not valid yet, signed by another authority; INVALID_ARGUMENT if `ca_pem` holds no certificate.
  absl::Status CheckIssuedBy(absl::string_view ca_pem, absl::Time now) const;
  // FAILED_PRECONDITION unless `key_pem` is the private key of this certificate.
  absl::Status CheckKey(absl::string_view key_pem) const;

 private:
  explicit Certificate(std::shared_ptr<x509_st> x509) : x509_(std::move(x509)) {}

  std::shared_ptr<x509_st> x509_;
};

// The serial number as CertificateInfo has it, from text with leading zeros or lower-case digits; INVALID_ARGUMENT if
// it is not 1 to 40 hexadecimal digits.
absl::StatusOr<std::string> NormalSerial(absl::string_view text);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RPC_CERTIFICATE_H_
