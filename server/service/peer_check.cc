#include "server/service/peer_check.h"

#include <grpc/grpc_security_constants.h>
#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/credentials.h"
#include "common/rpc/grpc_status.h"
#include "server/service/join_check.h"

namespace thinwire {
namespace {

constexpr size_t kMaxKnown = 32'768;

// Asked by gRPC about every call on a port, whichever service it is for.
class RoleGuard final : public grpc::AuthMetadataProcessor {
 public:
  RoleGuard(PeerCheck* check, PeerRole role) : check_(check), role_(role) {}
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata&, grpc::AuthContext* peer, OutputMetadata*, OutputMetadata*) override {
    return ToGrpcStatus(check_->CheckRole(*peer, role_));
  }

 private:
  PeerCheck* const check_;
  const PeerRole role_;
};

std::string PortOf(PeerRole role) {
  return role == PeerRole::kOperator ? "the control port takes operators only" : "this port takes clients only";
}

}  // namespace

PeerCheck::PeerCheck(const v1::SecurityConfig& security, Metrics* metrics)
    : security_(security), metrics_(metrics), revoked_(security.revoked()) {}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> PeerCheck::Guard(PeerRole role) {
  if (security_.insecure()) return grpc::InsecureServerCredentials();
  const absl::Status loaded = revoked_.Load();
  if (!loaded.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "security.revoked: ", loaded.message(), "; an empty file revokes nobody, and leaving the field out neither"));
  }
  return TlsServerCredentials({security_.ca(), security_.certificate(), security_.key()},
                              std::make_shared<RoleGuard>(this, role));
}

absl::Status PeerCheck::CheckRole(const grpc::AuthContext& peer, PeerRole role) {
  TW_ASSIGN_OR_RETURN(const CertificateInfo info, InfoOf(peer));
  return JudgeRole(info, role);
}

absl::Status PeerCheck::CheckClient(const grpc::ServerContextBase& call, absl::string_view client_id) {
  if (security_.insecure()) return absl::OkStatus();
  TW_ASSIGN_OR_RETURN(const CertificateInfo info, InfoOf(*call.auth_context()));
  TW_RETURN_IF_ERROR(JudgeRole(info, PeerRole::kClient));
  if (client_id == info.name) return absl::OkStatus();
  return Refused("another's id", info,
                 absl::PermissionDeniedError(absl::StrCat(
                     "the certificate is for client '", info.name, "', and the call is in the name of '",
                     CleanText(client_id), "'; leave the client id out, or use that client's certificate")));
}

absl::Status PeerCheck::JudgeRole(const CertificateInfo& info, PeerRole role) {
  if (info.role != role) {
    return Refused(
        "wrong role", info,
        absl::PermissionDeniedError(absl::StrCat(
            PortOf(role), "; the certificate of '", info.name, "' has ",
            info.role.has_value() ? absl::StrCat("the role ", RoleName(*info.role)) : std::string("no role"))));
  }
  if (revoked_.Contains(info.serial)) {
    return Refused(
        "revoked", info,
        absl::PermissionDeniedError(absl::StrCat("the certificate of '", info.name, "', serial ", info.serial,
                                                 ", is revoked; ask the operator for a new one")));
  }
  if (absl::Now() >= info.not_after) {
    return Refused("expired", info,
                   absl::UnauthenticatedError(
                       absl::StrCat("the certificate of '", info.name, "' expired on ",
                                    absl::FormatTime("%Y-%m-%d %H:%M UTC", info.not_after, absl::UTCTimeZone()),
                                    "; ask the operator for a new one, then connect again")));
  }
  return absl::OkStatus();
}

absl::StatusOr<CertificateInfo> PeerCheck::InfoOf(const grpc::AuthContext& peer) {
  const std::vector<grpc::string_ref> pems = peer.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pems.empty()) return absl::UnauthenticatedError("the call came without a certificate");
  const absl::string_view pem(pems[0].data(), pems[0].size());
  const Digest key = Sha256(pem);
  {
    MutexLock lock(mutex_);
    const auto found = known_.find(key);
    if (found != known_.end()) return found->second;
  }
  TW_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromPem(pem));
  CertificateInfo info = certificate.Describe();
  MutexLock lock(mutex_);
  if (known_.size() >= kMaxKnown) known_.clear();
  known_.emplace(key, info);
  return info;
}

absl::Status PeerCheck::Refused(const char* reason, const CertificateInfo& info, const absl::Status& status) const {
  metrics_->CountRefusal(reason);
  spdlog::warn("refused name={} class=\"{}\" error=\"{}\"", CleanText(info.name), reason, status.ToString());
  return status;
}

}  // namespace thinwire
