// Mutual TLS between real processes: who gets in, who does not, and what changes without a restart.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "common/codec/payload.h"  // before the fixture, whose constants its names hide
#include "common/rpc/grpc_status.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/testing/test_authority.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Credentials = std::shared_ptr<grpc::ChannelCredentials>;

constexpr uint64_t kMaxPem = 1 << 20;
constexpr int kMaxTries = 600;

class TlsTest : public FederationTest {
 protected:
  TlsTest() { authority_.Server(); }

  void StartServer(int rounds, int clients) {
    cluster_.UseTls(authority_.SecuritySection(), authority_.Operator("watcher"));
    ASSERT_THAT(cluster_.StartServer(Config(rounds, clients, kFp32)), IsOk());
  }
  static std::vector<std::string> Flags(const TlsFiles& files, int parameters = 1000) {
    return {"--task=echo",        absl::StrCat("--echo-parameters=", parameters),
            "--ca=" + files.ca,   "--cert=" + files.certificate,
            "--key=" + files.key, "--max-failures=2"};
  }
  Credentials Good(const TlsFiles& files, PeerRole role = PeerRole::kClient) {
    const absl::StatusOr<Credentials> credentials = TlsChannelCredentials(files, role);
    EXPECT_THAT(credentials, IsOk());
    return *credentials;
  }
  // Without the checks that our own programs make before they call.
  static Credentials Unchecked(const TlsFiles& files) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ReadWholeFile(files.ca, kMaxPem).value();
    if (!files.certificate.empty()) options.pem_cert_chain = ReadWholeFile(files.certificate, kMaxPem).value();
    if (!files.key.empty()) options.pem_private_key = ReadWholeFile(files.key, kMaxPem).value();
    return grpc::SslCredentials(options);
  }
  absl::Status JoinWith(const std::string& id, const Credentials& credentials) {
    RawClient client(cluster_.federation_address(), id, credentials);
    return client.Join(nullptr).status();
  }
  absl::Status StatusWith(const Credentials& credentials) {
    const auto stub = v1::Control::NewStub(grpc::CreateChannel(cluster_.control_address(), credentials));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetStatusResponse response;
    return FromGrpcStatus(stub->GetStatus(&context, {}, &response));
  }
  // What `program` says before it ends.
  std::string LogOf(const std::string& id) { return ReadWholeFile(cluster_.Path(id + ".log"), kMaxPem).value_or(""); }
  int ExitOf(const std::string& id, const TlsFiles& files) {
    const absl::StatusOr<size_t> index = cluster_.StartClient(id, Flags(files));
    EXPECT_THAT(index, IsOk());
    const auto exit = cluster_.client(*index).Wait(absl::Seconds(60));
    EXPECT_TRUE(exit.has_value()) << LogOf(id);
    return exit.has_value() ? exit->code : -1;
  }

  TestAuthority authority_{folder_.Path("ca")};
};

TEST_F(TlsTest, AFederationWithMutualTlsCompletesItsRounds) {
  StartServer(2, 2);
  for (const char* id : {"site-a", "site-b"}) {
    ASSERT_THAT(cluster_.StartClient(id, Flags(authority_.Client(id))), IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  EXPECT_THAT(cluster_.AwaitClients(absl::Seconds(60)), IsOk());
}

TEST_F(TlsTest, AnUploadGoesOnWhereItBroke) {
  StartServer(1, 1);
  cluster_.proxy().SetRate(WireDirection::kUp, 16 << 20);
  ASSERT_THAT(cluster_.StartClient("site-a", Flags(authority_.Client("site-a"), 2'000'000)), IsOk());
  // 8 MB of initial weights, then the update's 8 MB, cut twice.
  for (const uint64_t passed : {12'000'000, 15'000'000}) {
    ASSERT_TRUE(cluster_.proxy().WaitUntilCarried(WireDirection::kUp, passed, absl::Seconds(60))) << cluster_.Logs();
    cluster_.proxy().CutNow();
  }
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd());
  EXPECT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  EXPECT_GE(cluster_.proxy().stats().cuts, 2u);
  // What was under way is sent twice; with the whole update from its beginning it would be 23 MB.
  EXPECT_LT(cluster_.proxy().stats().total.up, 16'000'000u + 2 * 1'500'000u);
}

TEST_F(TlsTest, WithoutAGoodCertificateThereIsNoConnection) {
  StartServer(1, 1);
  TestAuthority other(folder_.Path("other"));
  TlsFiles strange = other.Client("site-a");
  strange.ca = authority_.folder().ca_path();
  EXPECT_THAT(JoinWith("site-a", Unchecked(strange)), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(JoinWith("site-a", Unchecked({strange.ca, "", ""})), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(JoinWith("site-a", Unchecked(authority_.Client("site-a", ValidInThePast()))),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(JoinWith("site-a", grpc::InsecureChannelCredentials()), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(StatusWith(Unchecked(strange)), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(JoinWith("site-a", Unchecked(authority_.Client("site-a"))), IsOk());
}

TEST_F(TlsTest, OurOwnProgramsSayWhatIsWrongWithACertificate) {
  StartServer(1, 1);
  TestAuthority other(folder_.Path("other"));
  EXPECT_EQ(ExitOf("expired", authority_.Client("expired", ValidInThePast())), 2);
  EXPECT_THAT(LogOf("expired"), HasSubstr("cert.pem expired on"));
  TlsFiles mixed = other.Client("mixed");
  mixed.ca = authority_.folder().ca_path();
  EXPECT_EQ(ExitOf("mixed", mixed), 2);
  EXPECT_THAT(LogOf("mixed"), HasSubstr("was not issued by the authority in the CA file"));
  EXPECT_EQ(ExitOf("chief", authority_.Operator("chief")), 2);
  EXPECT_THAT(LogOf("chief"), HasSubstr("the role here is client"));
  EXPECT_EQ(ExitOf("site-b", authority_.Client("site-a")), 2);
  EXPECT_THAT(LogOf("site-b"), HasSubstr("is the certificate of 'site-a'"));
  // A whole other federation: neither end trusts the other, and the client cannot know who is right.
  EXPECT_EQ(ExitOf("stranger", other.Client("stranger")), 5);
  EXPECT_THAT(LogOf("stranger"), HasSubstr("--ca"));
}

TEST_F(TlsTest, EachPortTakesItsRoleAndEachClientSpeaksForItself) {
  StartServer(1, 1);
  const Credentials a = Good(authority_.Client("site-a"));
  EXPECT_THAT(StatusWith(a), StatusIs(absl::StatusCode::kPermissionDenied,
                                      AllOf(HasSubstr("takes operators only"), HasSubstr("'site-a'"))));
  const Credentials alice = Good(authority_.Operator("alice"), PeerRole::kOperator);
  EXPECT_THAT(StatusWith(alice), IsOk());
  EXPECT_THAT(JoinWith("alice", alice), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("takes clients only")));

  ASSERT_THAT(JoinWith("site-a", a), IsOk());
  RawClient thief(cluster_.federation_address(), "site-a", Good(authority_.Client("site-b")));
  const auto refused =
      StatusIs(absl::StatusCode::kPermissionDenied, AllOf(HasSubstr("is for client 'site-b'"), HasSubstr("'site-a'")));
  EXPECT_THAT(thief.Join(nullptr).status(), refused);
  EXPECT_THAT(thief.AwaitWork().status(), refused);
  EXPECT_THAT(thief.Heartbeat(), refused);
  const BuiltPayload payload = BuildPayload(Manifest(), {});
  EXPECT_THAT(thief.Download(payload.ref).status(), refused);
  EXPECT_THAT(thief.UploadStatus("r1-c1", payload.ref.id).status(), refused);
  v1::Assignment assignment;
  assignment.set_assignment_id("r1-c1");
  EXPECT_THAT(thief.Upload(thief.HeaderFor(assignment, payload.ref), payload.bytes).status(), refused);
  EXPECT_THAT(thief.ReportEvaluation("r1-c1"), refused);
  EXPECT_THAT(thief.ReportFailure("r1-c1"), refused);
  EXPECT_THAT(thief.Leave(), refused);
  const auto* const service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(v1::Federation::service_full_name());
  EXPECT_EQ(service->method_count(), 9) << "a call that is not tried above";
  RawClient owner(cluster_.federation_address(), "site-a", a);
  EXPECT_THAT(owner.Heartbeat(), IsOk());  // it has not left
}

TEST_F(TlsTest, ARevokedClientIsRefusedWithItsNextCallWithoutARestart) {
  StartServer(1, 1);
  RawClient a(cluster_.federation_address(), "site-a", Good(authority_.Client("site-a")));
  RawClient b(cluster_.federation_address(), "site-b", Good(authority_.Client("site-b")));
  ASSERT_THAT(a.Join(nullptr), IsOk());
  ASSERT_THAT(b.Join(nullptr), IsOk());
  ASSERT_THAT(authority_.folder().Revoke("site-a"), IsOk());
  EXPECT_THAT(a.Heartbeat(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("is revoked")));
  EXPECT_THAT(b.Heartbeat(), IsOk());
  EXPECT_EQ(ExitOf("site-a", authority_.folder().FilesOf(PeerRole::kClient, "site-a")), 3) << LogOf("site-a");
  EXPECT_THAT(LogOf("site-a"), HasSubstr("is revoked"));
}

TEST_F(TlsTest, ACertificateThatExpiresOnALiveConnectionIsRefusedWithTheNextCall) {
  StartServer(1, 2);
  RawClient a(cluster_.federation_address(), "site-a",
              Good(authority_.Client("site-a", {absl::Now() - absl::Hours(1), absl::Now() + absl::Seconds(3)})));
  ASSERT_THAT(a.Join(nullptr), IsOk());
  absl::Status last;
  for (int i = 0; i < kMaxTries && last.ok(); ++i) {
    last = a.Heartbeat();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_THAT(last, StatusIs(absl::StatusCode::kUnauthenticated, AllOf(HasSubstr("'site-a'"), HasSubstr("expired"))));
  EXPECT_THAT(a.AwaitWork().status(), StatusIs(absl::StatusCode::kUnauthenticated));
  // The same client with a new certificate is the same client.
  RawClient renewed(cluster_.federation_address(), "site-a", Good(authority_.Client("site-a")));
  EXPECT_THAT(renewed.Heartbeat(), IsOk());
}

TEST_F(TlsTest, AServerWhoseCertificateHasExpiredDoesNotStart) {
  authority_.Server({"127.0.0.1"}, ValidInThePast());
  cluster_.UseTls(authority_.SecuritySection(), authority_.Operator("watcher"));
  EXPECT_THAT(cluster_.StartServer(Config(1, 1, kFp32)),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("expired on")));
}

TEST_F(TlsTest, ANewServerCertificateIsShownWithoutARestart) {
  StartServer(1, 1);
  const TlsFiles files = authority_.Client("site-a");
  RawClient standing(cluster_.federation_address(), "site-a", Good(files));
  ASSERT_THAT(standing.Join(nullptr), IsOk());
  // Each try makes a connection of its own; which certificate it meets tells what the server shows.
  const auto await = [&](const testing::Matcher<absl::Status>& wanted) {
    absl::Status last;
    for (int i = 0; i < kMaxTries; ++i) {
      last = JoinWith("site-a", Good(files));
      if (wanted.Matches(last)) return last;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return last;
  };
  authority_.Server({"elsewhere.example"});
  const auto wrong_host = AllOf(StatusIs(absl::StatusCode::kUnavailable, HasSubstr("elsewhere.example")));
  EXPECT_THAT(await(wrong_host), wrong_host);
  EXPECT_THAT(standing.Heartbeat(), IsOk());
  authority_.Server();
  EXPECT_THAT(await(IsOk()), IsOk());
}

TEST_F(TlsTest, AServerWithoutItsFilesDoesNotStart) {
  cluster_.UseTls("security { ca: '/nowhere/ca.pem' certificate: '/nowhere/cert.pem' key: '/nowhere/key.pem' }",
                  authority_.Operator("watcher"));
  EXPECT_THAT(cluster_.StartServer(Config(1, 1, kFp32)),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("/nowhere/ca.pem")));
}

}  // namespace
}  // namespace thinwire
