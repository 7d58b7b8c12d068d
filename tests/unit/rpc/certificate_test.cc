#include "common/rpc/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file.h"
#include "common/rpc/credentials.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/testing/test_authority.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kMaxPem = 1 << 20;

class CertificateTest : public testing::Test {
 protected:
  absl::Status Check(const TlsFiles& files, PeerRole role = PeerRole::kClient) {
    return CheckTlsFiles(files, role, absl::Now()).status();
  }

  TemporaryDirectory folder_;
  TestAuthority authority_{folder_.Path("ca")};
};

TEST_F(CertificateTest, SaysWhoHoldsItInWhatRoleForWhichHosts) {
  const TlsFiles files = authority_.Server({"fed.example.org", "10.0.0.5", "::1"});
  ASSERT_OK_AND_ASSIGN(const CertificateInfo info, CheckTlsFiles(files, PeerRole::kServer, absl::Now()));
  EXPECT_EQ(info.role, PeerRole::kServer);
  EXPECT_THAT(info.hosts, ElementsAre("fed.example.org", "10.0.0.5", "::1"));
  EXPECT_EQ(info.serial, authority_.last_serial());
  ASSERT_OK_AND_ASSIGN(const CertificateInfo client,
                       CheckTlsFiles(authority_.Client("site-a"), PeerRole::kClient, absl::Now()));
  EXPECT_EQ(client.name, "site-a");
  EXPECT_EQ(client.role, PeerRole::kClient);
  EXPECT_LT(client.not_after, absl::Now() + absl::Hours(25));
  EXPECT_NE(client.serial, info.serial);
}

TEST_F(CertificateTest, ExpiredAndNotYetValidAreToldApart) {
  EXPECT_THAT(
      Check(authority_.Client("late", ValidInThePast())),
      StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("cert.pem expired on"), HasSubstr("--replace"))));
  EXPECT_THAT(
      Check(authority_.Client("early", {absl::Now() + absl::Hours(1), absl::Now() + absl::Hours(2)})),
      StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("is not valid before"), HasSubstr("clock"))));
}

TEST_F(CertificateTest, AnotherAuthoritysIsRefusedAlthoughItHasTheSameName) {
  TestAuthority other(folder_.Path("other"));
  TlsFiles files = other.Client("site-a");
  files.ca = authority_.folder().ca_path();
  EXPECT_THAT(Check(files),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("was not issued by the authority")));
}

TEST_F(CertificateTest, ABundleTrustsEachOfItsAuthorities) {
  TestAuthority other(folder_.Path("other"));
  TlsFiles files = other.Client("site-a");
  ASSERT_OK_AND_ASSIGN(const std::string one, ReadWholeFile(authority_.folder().ca_path(), kMaxPem));
  ASSERT_OK_AND_ASSIGN(const std::string two, ReadWholeFile(other.folder().ca_path(), kMaxPem));
  files.ca = folder_.Path("bundle.pem");
  ASSERT_THAT(WriteFileAtomically(files.ca, one + two), IsOk());
  EXPECT_THAT(Check(files), IsOk());
}

TEST_F(CertificateTest, AKeyOfAnotherCertificateIsNamed) {
  TlsFiles files = authority_.Client("site-a");
  files.key = authority_.Client("site-b").key;
  EXPECT_THAT(Check(files), StatusIs(absl::StatusCode::kFailedPrecondition,
                                     AllOf(HasSubstr("client-site-b/key.pem"), HasSubstr("is not the key"))));
}

TEST_F(CertificateTest, AnotherRoleIsRefused) {
  EXPECT_THAT(Check(authority_.Client("site-a"), PeerRole::kOperator),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("role client"), HasSubstr("the role here is operator"))));
}

TEST_F(CertificateTest, GarbageAndMissingFilesAreNamed) {
  TlsFiles files = authority_.Client("site-a");
  files.certificate = folder_.Path("garbage");
  ASSERT_THAT(WriteFileAtomically(files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n"), IsOk());
  EXPECT_THAT(Check(files), StatusIs(absl::StatusCode::kInvalidArgument,
                                     AllOf(HasSubstr("garbage"), HasSubstr("holds no certificate"))));
  files.certificate = folder_.Path("missing");
  EXPECT_THAT(Check(files), StatusIs(absl::StatusCode::kNotFound, HasSubstr("missing")));
}

TEST(Handshake, WhatGrpcSaysIsExplained) {
  const std::pair<const char*, const char*> cases[] = {
      {"failed to connect to all addresses; last error: UNKNOWN: certificate verify failed", "in --ca"},
      {"failed to connect to all addresses; last error: UNKNOWN: wrong version number", "--insecure"},
      {"failed to connect to all addresses; last error: UNAVAILABLE: Socket closed", "does not take this certificate"},
  };
  for (const auto& [said, explained] : cases) {
    EXPECT_THAT(ExplainHandshake(absl::UnavailableError(said)),
                StatusIs(absl::StatusCode::kUnavailable, AllOf(HasSubstr(said), HasSubstr(explained))));
  }
  const absl::Status broken = absl::UnavailableError("Socket closed");  // in the middle of a call
  EXPECT_EQ(ExplainHandshake(broken), broken);
  EXPECT_EQ(ExplainHandshake(absl::OkStatus()), absl::OkStatus());
}

TEST(CertificateRole, TwoRolesAreNone) {
  EXPECT_EQ(RoleOfUris({"https://x", "thinwire:role/operator"}), PeerRole::kOperator);
  EXPECT_EQ(RoleOfUris({"thinwire:role/client", "thinwire:role/operator"}), std::nullopt);
  EXPECT_EQ(RoleOfUris({"thinwire:role/clients"}), std::nullopt);
}

TEST(SerialNumber, HasOneFormHoweverItIsWritten) {
  EXPECT_THAT(NormalSerial("00ab12"), IsOkAndHolds("AB12"));
  EXPECT_THAT(NormalSerial("00"), IsOkAndHolds("0"));
  for (const char* bad : {"", "12 34", "xyz", "0x12"}) EXPECT_FALSE(NormalSerial(bad).ok()) << bad;
  EXPECT_FALSE(NormalSerial(std::string(41, '1')).ok());
}

}  // namespace
}  // namespace thinwire
