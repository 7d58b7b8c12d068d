// Who calls, and whether they may: the one place where a call's certificate is judged.
//
// TLS has checked that the certificate is from our authority and was valid when the connection was made. What is left
// is checked per call, since connections stand for days: it has the role of the port, is not revoked, has not expired,
// and a client speaks for nobody but the name in it.
#ifndef THINWIRE_SERVER_SERVICE_PEER_CHECK_H_
#define THINWIRE_SERVER_SERVICE_PEER_CHECK_H_

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/digest.h"
#include "common/base/mutex.h"
#include "common/rpc/certificate.h"
#include "server/http/metrics.h"
#include "server/service/revoked_list.h"
#include "thinwire/v1/config.pb.h"

namespace thinwire {

// Thread-safe; outlives the servers that it guards. Refusals are counted in the metrics and logged.
class PeerCheck {
 public:
  PeerCheck(const v1::SecurityConfig& security, Metrics* metrics);

  // Credentials for a port that takes calls of `role` only. In plaintext there is nothing to check. Errors name the
  // file, as CheckTlsFiles.
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Guard(PeerRole role);

  // PERMISSION_DENIED: wrong role, or revoked. UNAUTHENTICATED: expired since the connection was made; a caller that
  // has a new certificate connects again.
  absl::Status CheckRole(const grpc::AuthContext& peer, PeerRole role);
  // The same for a client, and PERMISSION_DENIED unless `client_id` is the name in its certificate. OK in plaintext.
  absl::Status CheckClient(const grpc::ServerContextBase& call, absl::string_view client_id);

 private:
  absl::Status JudgeRole(const CertificateInfo& info, PeerRole role);
  absl::StatusOr<CertificateInfo> InfoOf(const grpc::AuthContext& peer);
  absl::Status Refused(const char* reason, const CertificateInfo& info, const absl::Status& status) const;

  const v1::SecurityConfig security_;
  Metrics* const metrics_;
  RevokedList revoked_;
  Mutex mutex_;
  // Parsed certificates by the hash of their PEM: a call costs a hash instead of a parse.
  std::map<Digest, CertificateInfo> known_ TW_GUARDED_BY(mutex_);
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_PEER_CHECK_H_
