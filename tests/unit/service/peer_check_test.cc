#include "server/service/peer_check.h"

#include <gmock/gmock.h>
#include <grpc/grpc_security_constants.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"
#include "tests/testing/test_authority.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

// What gRPC says of a connection whose other end showed `pem`.
class FakePeer final : public grpc::AuthContext {
 public:
  explicit FakePeer(std::string pem) : pem_(std::move(pem)) {}
  bool IsPeerAuthenticated() const override { return true; }
  std::vector<grpc::string_ref> GetPeerIdentity() const override { return {}; }
  std::string GetPeerIdentityPropertyName() const override { return ""; }
  std::vector<grpc::string_ref> FindPropertyValues(const std::string& name) const override {
    if (name != GRPC_X509_PEM_CERT_PROPERTY_NAME || pem_.empty()) return {};
    return {grpc::string_ref(pem_)};
  }
  grpc::AuthPropertyIterator begin() const override { return Nothing(); }
  grpc::AuthPropertyIterator end() const override { return Nothing(); }
  void AddProperty(const std::string&, const grpc::string_ref&) override {}
  bool SetPeerIdentityPropertyName(const std::string&) override { return false; }

 private:
  struct Nothing final : grpc::AuthPropertyIterator {};

  const std::string pem_;
};

class PeerCheckTest : public testing::Test {
 protected:
  PeerCheckTest() {
    const TlsFiles files = authority_.Server();
    security_.set_ca(files.ca);
    security_.set_certificate(files.certificate);
    security_.set_key(files.key);
    security_.set_revoked(authority_.folder().revoked_path());
  }
  FakePeer PeerOf(const TlsFiles& files) {
    const absl::StatusOr<std::string> pem = ReadWholeFile(files.certificate, 1 << 20);
    EXPECT_THAT(pem, IsOk());
    return FakePeer(*pem);
  }

  TemporaryDirectory folder_;
  TestAuthority authority_{folder_.Path("ca")};
  v1::SecurityConfig security_;
  Metrics metrics_;
};

TEST_F(PeerCheckTest, EachPortTakesItsRoleOnly) {
  PeerCheck check(security_, &metrics_);
  const FakePeer client = PeerOf(authority_.Client("site-a"));
  const FakePeer alice = PeerOf(authority_.Operator("alice"));
  EXPECT_THAT(check.CheckRole(client, PeerRole::kClient), IsOk());
  EXPECT_THAT(check.CheckRole(alice, PeerRole::kOperator), IsOk());
  EXPECT_THAT(check.CheckRole(client, PeerRole::kOperator),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       AllOf(HasSubstr("takes operators only"), HasSubstr("'site-a' has the role client"))));
  EXPECT_THAT(check.CheckRole(alice, PeerRole::kClient), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(check.CheckRole(PeerOf(authority_.Server()), PeerRole::kClient),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(check.CheckRole(FakePeer(""), PeerRole::kClient), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(metrics_.Text(), HasSubstr("wrong role"));
}

TEST_F(PeerCheckTest, RevocationTakesEffectWithTheNextCall) {
  PeerCheck check(security_, &metrics_);
  ASSERT_THAT(check.Guard(PeerRole::kClient), IsOk());
  const FakePeer a = PeerOf(authority_.Client("site-a"));
  const FakePeer b = PeerOf(authority_.Client("site-b"));
  EXPECT_THAT(check.CheckRole(a, PeerRole::kClient), IsOk());
  ASSERT_THAT(authority_.folder().Revoke("site-a"), IsOk());
  EXPECT_THAT(check.CheckRole(a, PeerRole::kClient),
              StatusIs(absl::StatusCode::kPermissionDenied, AllOf(HasSubstr("'site-a'"), HasSubstr("is revoked"))));
  EXPECT_THAT(check.CheckRole(b, PeerRole::kClient), IsOk());
  // A new certificate for the name is not the revoked one.
  EXPECT_THAT(check.CheckRole(PeerOf(authority_.Client("site-a")), PeerRole::kClient), IsOk());
}

TEST_F(PeerCheckTest, AConnectionThatOutlivesItsCertificateIsUnauthenticated) {
  PeerCheck check(security_, &metrics_);
  EXPECT_THAT(check.CheckRole(PeerOf(authority_.Client("late", ValidInThePast())), PeerRole::kClient),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("'late' expired on")));
}

TEST_F(PeerCheckTest, AListThatGoesBadOrAwayForgetsNobody) {
  RevokedList list(security_.revoked());
  ASSERT_THAT(WriteFileAtomically(security_.revoked(), "# first\n00ab  # site-a\n"), IsOk());
  ASSERT_THAT(list.Load(), IsOk());
  EXPECT_TRUE(list.Contains("AB"));
  ASSERT_THAT(WriteFileAtomically(security_.revoked(), "not a number\n"), IsOk());
  EXPECT_TRUE(list.Contains("AB"));
  ASSERT_THAT(RemoveFile(security_.revoked()), IsOk());
  EXPECT_TRUE(list.Contains("AB"));
  ASSERT_THAT(WriteFileAtomically(security_.revoked(), "CD\n"), IsOk());
  EXPECT_FALSE(list.Contains("AB"));
  EXPECT_TRUE(list.Contains("CD"));
}

TEST_F(PeerCheckTest, ABadListAtTheStartNamesFileLineAndText) {
  ASSERT_THAT(WriteFileAtomically(security_.revoked(), "AB\nsite-a\n"), IsOk());
  PeerCheck check(security_, &metrics_);
  EXPECT_THAT(check.Guard(PeerRole::kClient).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("security.revoked"), HasSubstr("revoked:2: 'site-a' is not a serial number"))));
  EXPECT_THAT(ParseRevoked("# none\n\n  0ab # x\r\nCD"), IsOkAndHolds(UnorderedElementsAre("AB", "CD")));
}

TEST_F(PeerCheckTest, AServerWithAClientsCertificateDoesNotStart) {
  security_.set_certificate(authority_.Client("site-a").certificate);
  security_.set_key(authority_.Client("site-b").key);
  PeerCheck check(security_, &metrics_);
  EXPECT_THAT(check.Guard(PeerRole::kClient).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not the key")));
}

}  // namespace
}  // namespace thinwire
