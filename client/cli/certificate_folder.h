// A certificate authority in a folder, and all that it issued:
//
//   DIR/ca.pem, DIR/ca.key            the authority; ca.key never leaves the machine it was made on
//   DIR/issued                        one line per certificate: serial, role, name, end of validity
//   DIR/revoked                       serial numbers; the server's security.revoked
//   DIR/server/                       ca.pem, cert.pem, key.pem: what the server needs
//   DIR/client-NAME/, operator-NAME/  the same for each client and operator, to be carried there as a whole
//
// Keys have mode 0600 from their first byte on. Not for two processes at once.
#ifndef THINWIRE_CLIENT_CLI_CERTIFICATE_FOLDER_H_
#define THINWIRE_CLIENT_CLI_CERTIFICATE_FOLDER_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/certificate_maker.h"
#include "common/rpc/credentials.h"

namespace thinwire {

// A line of DIR/issued.
struct IssuedCertificate {
  std::string serial;
  PeerRole role = PeerRole::kClient;
  std::string name;
  absl::Time not_after;
  bool revoked = false;
};

class CertificateFolder {
 public:
  // Makes an authority in `directory`. ALREADY_EXISTS if there is one: nothing is ever overwritten. After any error
  // nothing of it is left.
  static absl::StatusOr<CertificateFolder> Create(const std::string& directory, const Validity& validity);
  // NOT_FOUND, with the way out, if there is no authority.
  static absl::StatusOr<CertificateFolder> Open(const std::string& directory);

  // Removes the authority that Create has made and all that it issued. Other files in the folder stay.
  void Discard();

  // Where a certificate's files are.
  TlsFiles FilesOf(PeerRole role, const std::string& name) const;
  std::string revoked_path() const;
  std::string ca_path() const;
  absl::Time authority_not_after() const { return not_after_; }

  // Signs and writes. ALREADY_EXISTS if the name has a certificate, unless `replace`; a name that another role has is
  // refused always. A certificate ends with its authority at the latest.
  absl::StatusOr<IssuedCertificate> Issue(CertificateRequest request, bool replace);
  // Revokes every certificate of that name that is not revoked yet, and returns them. NOT_FOUND if there never was one.
  absl::StatusOr<std::vector<IssuedCertificate>> Revoke(const std::string& name);
  // In the order of issue.
  absl::StatusOr<std::vector<IssuedCertificate>> List() const;

 private:
  explicit CertificateFolder(std::string directory) : directory_(std::move(directory)) {}
  absl::Status WriteAuthority(const Validity& validity);
  absl::Status CheckFree(const CertificateRequest& request, bool replace) const;
  absl::Status WriteFiles(PeerRole role, const std::string& name, const CertifiedKey& pair) const;

  std::string directory_;
  bool made_directory_ = false;
  CertifiedKey authority_;
  absl::Time not_after_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_CERTIFICATE_FOLDER_H_
