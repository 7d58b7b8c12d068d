// Makes keys and signs certificates, through libcrypto: EC P-256, SHA-256, random serial numbers of 127 bits.
#ifndef THINWIRE_CLIENT_CLI_CERTIFICATE_MAKER_H_
#define THINWIRE_CLIENT_CLI_CERTIFICATE_MAKER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/certificate.h"

namespace thinwire {

// Both in PEM form; the key without a pass phrase.
struct CertifiedKey {
  std::string certificate;
  std::string key;
};

struct Validity {
  absl::Time not_before;
  absl::Time not_after;
};

// An authority that signs itself, and may sign others but no further authority.
absl::StatusOr<CertifiedKey> MakeAuthority(const std::string& name, const Validity& validity);

struct CertificateRequest {
  PeerRole role = PeerRole::kClient;
  std::string name;                // a client's id, an operator's name
  std::vector<std::string> hosts;  // of a server: DNS names and IP addresses by which it is dialled
  Validity validity;
};

// A new key and a certificate for it. INVALID_ARGUMENT for a bad name or host, for a server without hosts, or for an
// authority that cannot sign.
absl::StatusOr<CertifiedKey> MakeCertificate(const CertifiedKey& authority, const CertificateRequest& request);

// 1 to 64 of [A-Za-z0-9._-], not starting with '.' or '-': client ids that can also name a folder.
absl::Status CheckCertificateName(const std::string& name);
// A DNS name or an IP address.
absl::Status CheckHost(const std::string& host);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_CERTIFICATE_MAKER_H_
