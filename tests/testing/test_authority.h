// An authority of a test's own, in its folder, and certificates from it, good ones and bad ones.
#ifndef THINWIRE_TESTS_TESTING_TEST_AUTHORITY_H_
#define THINWIRE_TESTS_TESTING_TEST_AUTHORITY_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "client/cli/certificate_folder.h"
#include "common/rpc/credentials.h"

namespace thinwire {

inline Validity ValidNow() { return {absl::Now() - absl::Hours(1), absl::Now() + absl::Hours(24)}; }
inline Validity ValidInThePast() { return {absl::Now() - absl::Hours(3), absl::Now() - absl::Hours(2)}; }

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& directory)
      : folder_(CertificateFolder::Create(directory, {absl::Now() - absl::Hours(4), absl::Now() + absl::Hours(48)})
                    .value()) {}

  TlsFiles Client(const std::string& name, const Validity& validity = ValidNow()) {
    return Make({PeerRole::kClient, name, {}, validity});
  }
  TlsFiles Operator(const std::string& name, const Validity& validity = ValidNow()) {
    return Make({PeerRole::kOperator, name, {}, validity});
  }
  // Replaces the one before.
  TlsFiles Server(const std::vector<std::string>& hosts = {"127.0.0.1"}, const Validity& validity = ValidNow()) {
    return Make({PeerRole::kServer, "", hosts, validity});
  }
  TlsFiles Make(const CertificateRequest& request) {
    const absl::StatusOr<IssuedCertificate> issued = folder_.Issue(request, /*replace=*/true);
    EXPECT_TRUE(issued.ok()) << issued.status();
    last_serial_ = issued.ok() ? issued->serial : "";
    return folder_.FilesOf(request.role, request.name);
  }
  const std::string& last_serial() const { return last_serial_; }
  CertificateFolder& folder() { return folder_; }

  // "security { ... }" for a server's configuration.
  std::string SecuritySection() const {
    const TlsFiles files = folder_.FilesOf(PeerRole::kServer, "");
    return "security { ca: '" + files.ca + "' certificate: '" + files.certificate + "' key: '" + files.key +
           "' revoked: '" + folder_.revoked_path() + "' }\n";
  }

 private:
  CertificateFolder folder_;
  std::string last_serial_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_TESTING_TEST_AUTHORITY_H_
