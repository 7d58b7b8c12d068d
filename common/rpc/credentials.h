// Credentials of both ends of a connection, from PEM files: mutual TLS, where each end checks the other.
//
// Files are read again when they change, so a certificate is rotated by putting a new one in its place (key first, or
// both by rename); connections that stand keep what they began with.
#ifndef THINWIRE_COMMON_RPC_CREDENTIALS_H_
#define THINWIRE_COMMON_RPC_CREDENTIALS_H_

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/certificate.h"

namespace thinwire {

struct TlsFiles {
  std::string ca;           // authorities that vouch for the other end; may be a bundle
  std::string certificate;  // one's own
  std::string key;
};

// What the other end would find wrong with these files, said here where it can be put right: a file that cannot be read
// or parsed, a key of another certificate, a certificate that has expired or is from another authority or has another
// role than `role`. Messages name the file and the way out. Returns what the certificate says.
absl::StatusOr<CertificateInfo> CheckTlsFiles(const TlsFiles& files, PeerRole role, absl::Time now);

// A server that takes only connections with a certificate from `files.ca`, and asks `guard` about each call. Looks at
// its files every second. Errors as CheckTlsFiles.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsServerCredentials(
    const TlsFiles& files, std::shared_ptr<grpc::AuthMetadataProcessor> guard);

// A caller in `role`, which talks only to a server whose certificate is from `files.ca`, has the server's role, and is
// for the host that was dialled. Looks at its files every minute. Errors as CheckTlsFiles.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsChannelCredentials(const TlsFiles& files, PeerRole role);

// The flags by which a program says how to reach a server.
struct SecurityFlags {
  TlsFiles files;
  bool insecure = false;
};
// Credentials by flags: all three of --ca, --cert and --key, or --insecure. INVALID_ARGUMENT naming the flag that is
// missing and the way out; else as TlsChannelCredentials.
absl::Status CheckSecurityFlags(const SecurityFlags& flags, PeerRole role);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsByFlags(const SecurityFlags& flags,
                                                                                    PeerRole role);

// A call's status; if it could not connect, with what that may have to do with certificates added, as far as gRPC
// tells.
absl::Status ExplainHandshake(const absl::Status& status);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RPC_CREDENTIALS_H_
