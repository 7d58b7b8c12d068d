#include "common/rpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kMaxPemBytes = 1 << 20;
constexpr unsigned kServerRefreshSeconds = 1;
constexpr unsigned kClientRefreshSeconds = 60;  // a device that waits on a battery should not wake for this

using grpc::experimental::CertificateVerifier;
using grpc::experimental::FileWatcherCertificateProvider;
using grpc::experimental::TlsCustomVerificationCheckRequest;

std::vector<std::string> Strings(const std::vector<grpc::string_ref>& refs) {
  std::vector<std::string> result;
  for (const grpc::string_ref& ref : refs) result.emplace_back(ref.data(), ref.size());
  return result;
}

// On top of the chain, which TLS itself checks: the role, and the host that was dialled. Thread-safe.
class ServerVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  bool Verify(TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)> callback,
              grpc::Status* sync_status) override {
    if (RoleOfUris(Strings(request->uri_names())) != PeerRole::kServer) {
      *sync_status = grpc::Status(
          grpc::StatusCode::UNAUTHENTICATED,
          "the certificate shown is not a server's: it lacks the role thinwire:role/server; is this the right port?");
      return true;
    }
    const bool synchronous = hosts_.Verify(request, std::move(callback), sync_status);
    if (synchronous && !sync_status->ok()) *sync_status = WrongHost(*request);
    return synchronous;
  }
  void Cancel(TlsCustomVerificationCheckRequest* request) override { hosts_.Cancel(request); }

 private:
  static grpc::Status WrongHost(const TlsCustomVerificationCheckRequest& request) {
    std::vector<std::string> names = Strings(request.dns_names());
    for (std::string& ip : Strings(request.ip_names())) names.push_back(std::move(ip));
    const grpc::string_ref dialled = request.target_name();
    return grpc::Status(
        grpc::StatusCode::UNAUTHENTICATED,
        absl::StrCat("the server's certificate is not for ", std::string(dialled.data(), dialled.size()), " but for ",
                     names.empty() ? "no host" : absl::StrJoin(names, ", "),
                     "; dial one of those, or add the host (thinwire certs server DIR --server HOST --replace)"));
  }

  grpc::experimental::HostNameCertificateVerifier hosts_;
};

absl::Status About(const std::string& file, const absl::Status& status) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(file, " ", status.message()));
}

std::shared_ptr<FileWatcherCertificateProvider> Watch(const TlsFiles& files, unsigned seconds) {
  return std::make_shared<FileWatcherCertificateProvider>(files.key, files.certificate, files.ca, seconds);
}

}  // namespace

absl::StatusOr<CertificateInfo> CheckTlsFiles(const TlsFiles& files, PeerRole role, absl::Time now) {
  TW_ASSIGN_OR_RETURN(const std::string ca, ReadWholeFile(files.ca, kMaxPemBytes));
  TW_ASSIGN_OR_RETURN(const std::string pem, ReadWholeFile(files.certificate, kMaxPemBytes));
  TW_ASSIGN_OR_RETURN(const std::string key, ReadWholeFile(files.key, kMaxPemBytes));
  TW_RETURN_IF_ERROR(About(files.ca, Certificate::FromPem(ca).status()));
  const absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  TW_RETURN_IF_ERROR(About(files.certificate, certificate.status()));
  TW_RETURN_IF_ERROR(About(files.key, certificate->CheckKey(key)));
  TW_RETURN_IF_ERROR(About(files.certificate, certificate->CheckIssuedBy(ca, now)));
  CertificateInfo info = certificate->Describe();
  if (info.role == role) return info;
  return absl::FailedPreconditionError(
      absl::StrCat(files.certificate, " is for '", info.name, "' with ",
                   info.role.has_value() ? absl::StrCat("the role ", RoleName(*info.role)) : "no role",
                   ", but the role here is ", RoleName(role), "; thinwire certs ", RoleName(role), " makes one"));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsServerCredentials(
    const TlsFiles& files, std::shared_ptr<grpc::AuthMetadataProcessor> guard) {
  TW_RETURN_IF_ERROR(CheckTlsFiles(files, PeerRole::kServer, absl::Now()).status());
  grpc::experimental::TlsServerCredentialsOptions options(Watch(files, kServerRefreshSeconds));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::experimental::TlsServerCredentials(options);
  if (guard != nullptr) credentials->SetAuthMetadataProcessor(guard);
  return credentials;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsChannelCredentials(const TlsFiles& files, PeerRole role) {
  TW_RETURN_IF_ERROR(CheckTlsFiles(files, role, absl::Now()).status());
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(files, kClientRefreshSeconds));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(grpc::experimental::ExternalCertificateVerifier::Create<ServerVerifier>());
  return grpc::experimental::TlsCredentials(options);
}

absl::Status CheckSecurityFlags(const SecurityFlags& flags, PeerRole role) {
  const bool any = !flags.files.ca.empty() || !flags.files.certificate.empty() || !flags.files.key.empty();
  if (flags.insecure) {
    if (!any) return absl::OkStatus();
    return absl::InvalidArgumentError("--insecure contradicts --ca, --cert and --key; give either it or them");
  }
  const std::pair<const char*, const std::string*> needed[] = {
      {"--ca", &flags.files.ca}, {"--cert", &flags.files.certificate}, {"--key", &flags.files.key}};
  for (const auto& [name, value] : needed) {
    if (!value->empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, " FILE is missing: --ca, --cert and --key say whom to trust and who calls (thinwire certs ",
                     RoleName(role), " makes them); --insecure, if the server is in plaintext"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsByFlags(const SecurityFlags& flags,
                                                                                    PeerRole role) {
  TW_RETURN_IF_ERROR(CheckSecurityFlags(flags, role));
  if (flags.insecure) return grpc::InsecureChannelCredentials();
  return TlsChannelCredentials(flags.files, role);
}

absl::Status ExplainHandshake(const absl::Status& status) {
  // What gRPC 1.51 and OpenSSL 3 say. In TLS 1.3 a server turns a certificate down when the other end thinks that the
  // connection stands already; then nothing is said at all.
  constexpr std::pair<const char*, const char*> kHints[] = {
      {"certificate verify failed",
       "the server's certificate is not from the authority in --ca, or has expired; is this the ca.pem of this "
       "federation?"},
      {"wrong version number", "the server is in plaintext; --insecure instead of certificates, if that is meant"},
      {"Socket closed",
       "the server hung up at once: it wants TLS (--ca, --cert, --key), or does not take this certificate, which may "
       "be another authority's or have expired"},
  };
  const bool unconnected = absl::IsUnavailable(status) && absl::StrContains(status.message(), "failed to connect");
  for (const auto& [sign, hint] : kHints) {
    if (!unconnected || !absl::StrContains(status.message(), sign)) continue;
    return absl::UnavailableError(absl::StrCat(hint, " (", status.message(), ")"));
  }
  return status;
}

}  // namespace thinwire
