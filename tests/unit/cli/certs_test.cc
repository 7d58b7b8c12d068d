#include "client/cli/certs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "client/cli/certificate_folder.h"
#include "common/base/file.h"
#include "common/rpc/credentials.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CertsTest : public testing::Test {
 protected:
  CliExit Run(const std::vector<std::string>& arguments) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const CliExit code = RunCerts(arguments);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }
  mode_t ModeOf(const std::string& path) {
    struct stat info;
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
  }
  std::string Read(const std::string& path) { return ReadWholeFile(path, 1 << 20).value_or("unreadable"); }
  CertificateInfo Info(PeerRole role, const std::string& name) {
    const TlsFiles files = CertificateFolder::Open(dir_)->FilesOf(role, name);
    const absl::StatusOr<CertificateInfo> info = CheckTlsFiles(files, role, absl::Now());
    EXPECT_THAT(info, IsOk());
    return info.value_or(CertificateInfo());
  }

  TemporaryDirectory folder_;
  const std::string dir_ = folder_.Path("certs");
  std::string out_, err_;
};

TEST_F(CertsTest, InitMakesAnAuthorityAndAServerThatOthersTrust) {
  ASSERT_EQ(Run({"init", dir_, "--server", "fed.example.org,10.0.0.5"}), CliExit::kOk) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("security {"), HasSubstr(dir_ + "/server/key.pem"), HasSubstr("revoked:")));
  const CertificateInfo server = Info(PeerRole::kServer, "");
  EXPECT_THAT(server.hosts, testing::ElementsAre("fed.example.org", "10.0.0.5", "localhost", "127.0.0.1", "::1"));
  EXPECT_EQ(ModeOf(dir_ + "/ca.key"), 0600u);
  EXPECT_EQ(ModeOf(dir_ + "/server/key.pem"), 0600u);
  ASSERT_EQ(Run({"client", dir_, "--name=site-a", "--days=30"}), CliExit::kOk) << err_;
  EXPECT_LT(Info(PeerRole::kClient, "site-a").not_after, absl::Now() + absl::Hours(30 * 24 + 1));
  ASSERT_EQ(Run({"operator", dir_, "--name", "alice", "--format", "json"}), CliExit::kOk) << err_;
  const nlohmann::json json = nlohmann::json::parse(out_, nullptr, false);
  EXPECT_EQ(json.value("role", ""), "operator");
  EXPECT_EQ(json.value("serial", ""), Info(PeerRole::kOperator, "alice").serial);
  EXPECT_EQ(json["files"].value("key", ""), dir_ + "/operator-alice/key.pem");
}

TEST_F(CertsTest, OneCommandMakesTheAuthorityTheServerTheClientsAndTheOperators) {
  ASSERT_EQ(Run({"init", dir_, "--server=h", "--clients=site-a,site-b", "--operators", "alice"}), CliExit::kOk) << err_;
  EXPECT_THAT(Info(PeerRole::kServer, "").hosts, testing::Contains("h"));
  for (const char* name : {"site-a", "site-b"}) {
    EXPECT_EQ(Info(PeerRole::kClient, name).name, name);
    EXPECT_THAT(out_, HasSubstr(dir_ + "/client-" + name + "/key.pem"));
  }
  EXPECT_EQ(Info(PeerRole::kOperator, "alice").name, "alice");
  EXPECT_EQ(ModeOf(dir_ + "/client-site-b/key.pem"), 0600u);
  EXPECT_EQ(Run({"client", dir_, "--name=site-a"}), CliExit::kFailed);  // it has one
  const std::string other = folder_.Path("other");
  ASSERT_EQ(Run({"init", other, "--server=h", "--clients=c,d", "--format=json"}), CliExit::kOk) << err_;
  const nlohmann::json json = nlohmann::json::parse(out_, nullptr, false);
  ASSERT_EQ(json["clients"].size(), 2u);
  EXPECT_EQ(json["clients"][1].value("name", ""), "d");
  EXPECT_EQ(json["clients"][1]["files"].value("key", ""), other + "/client-d/key.pem");
  EXPECT_TRUE(json["operators"].is_array() && json["operators"].empty());
  EXPECT_EQ(json["server"].value("role", ""), "server");
}

TEST_F(CertsTest, AnInitThatFailsLeavesNothing) {
  EXPECT_EQ(Run({"init", dir_, "--server=h", "--clients=a,../x"}), CliExit::kUsage);
  EXPECT_FALSE(FileExists(dir_));
  // The third certificate cannot be written.
  const std::string in_the_way = dir_ + "/client-b";
  ASSERT_THAT(MakeDirectories(dir_), IsOk());
  ASSERT_THAT(WriteFileAtomically(in_the_way, "a file"), IsOk());
  EXPECT_EQ(Run({"init", dir_, "--server=h", "--clients=a,b,c", "--operators=alice"}), CliExit::kFailed);
  EXPECT_THAT(err_, HasSubstr("client-b"));
  EXPECT_THAT(*ListDirectory(dir_), testing::ElementsAre("client-b"));
  EXPECT_EQ(Read(in_the_way), "a file");
  ASSERT_THAT(RemoveFile(in_the_way), IsOk());
  EXPECT_EQ(Run({"init", dir_, "--server=h", "--clients=a,b,c", "--operators=alice"}), CliExit::kOk) << err_;
}

TEST_F(CertsTest, NothingIsOverwrittenUnlessReplaceSaysSo) {
  ASSERT_EQ(Run({"init", dir_, "--server=h"}), CliExit::kOk) << err_;
  ASSERT_EQ(Run({"client", dir_, "--name=site-a"}), CliExit::kOk) << err_;
  const std::string authority = Read(dir_ + "/ca.key"), client = Read(dir_ + "/client-site-a/cert.pem");
  EXPECT_EQ(Run({"init", dir_, "--server=h", "--replace"}), CliExit::kFailed);
  EXPECT_THAT(err_, HasSubstr("ca.pem is there already"));
  EXPECT_EQ(Run({"client", dir_, "--name=site-a"}), CliExit::kFailed);
  EXPECT_THAT(err_, AllOf(HasSubstr("client-site-a/cert.pem is there already"), HasSubstr("--replace")));
  EXPECT_EQ(Run({"operator", dir_, "--name=site-a", "--replace"}), CliExit::kFailed);
  EXPECT_THAT(err_, HasSubstr("with the role client"));
  EXPECT_EQ(Run({"server", dir_}), CliExit::kFailed);
  EXPECT_EQ(Read(dir_ + "/ca.key"), authority);
  EXPECT_EQ(Read(dir_ + "/client-site-a/cert.pem"), client);
  EXPECT_EQ(Run({"client", dir_, "--name=site-a", "--replace"}), CliExit::kOk) << err_;
  EXPECT_NE(Read(dir_ + "/client-site-a/cert.pem"), client);
}

TEST_F(CertsTest, ANewServerCertificateKeepsTheHostsOfTheOld) {
  ASSERT_EQ(Run({"init", dir_, "--server=fed.example.org"}), CliExit::kOk) << err_;
  const CertificateInfo before = Info(PeerRole::kServer, "");
  ASSERT_EQ(Run({"server", dir_, "--replace"}), CliExit::kOk) << err_;
  EXPECT_EQ(Info(PeerRole::kServer, "").hosts, before.hosts);
  EXPECT_NE(Info(PeerRole::kServer, "").serial, before.serial);
}

TEST_F(CertsTest, RevokeListsEveryCertificateThatTheNameEverHad) {
  ASSERT_EQ(Run({"init", dir_, "--server=h"}), CliExit::kOk) << err_;
  ASSERT_EQ(Run({"client", dir_, "--name=site-a"}), CliExit::kOk) << err_;
  const std::string first = Info(PeerRole::kClient, "site-a").serial;
  ASSERT_EQ(Run({"client", dir_, "--name=site-a", "--replace"}), CliExit::kOk) << err_;
  const std::string second = Info(PeerRole::kClient, "site-a").serial;
  ASSERT_EQ(Run({"revoke", dir_, "--name=site-a"}), CliExit::kOk) << err_;
  EXPECT_THAT(Read(dir_ + "/revoked"), AllOf(HasSubstr(first), HasSubstr(second)));
  const std::string list = Read(dir_ + "/revoked");
  ASSERT_EQ(Run({"revoke", dir_, "--name=site-a"}), CliExit::kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("revoked before"));
  EXPECT_EQ(Read(dir_ + "/revoked"), list);
  EXPECT_EQ(Run({"revoke", dir_, "--name=site-b"}), CliExit::kNotFound);
  ASSERT_EQ(Run({"list", dir_, "--format=json"}), CliExit::kOk) << err_;
  const nlohmann::json json = nlohmann::json::parse(out_, nullptr, false);
  ASSERT_EQ(json["certificates"].size(), 3u);
  EXPECT_FALSE(json["certificates"][0].value("revoked", true));
  EXPECT_TRUE(json["certificates"][2].value("revoked", false));
}

TEST_F(CertsTest, ACertificateEndsWithItsAuthorityAtTheLatest) {
  ASSERT_EQ(Run({"init", dir_, "--server=h", "--days=10"}), CliExit::kOk) << err_;
  ASSERT_EQ(Run({"client", dir_, "--name=site-a", "--days=100"}), CliExit::kOk) << err_;
  EXPECT_EQ(Info(PeerRole::kClient, "site-a").not_after, CertificateFolder::Open(dir_)->authority_not_after());
}

TEST_F(CertsTest, WrongUsageNamesWhatIsWrong) {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {
      {{}, "init, server, client"},
      {{"dance", dir_}, "unknown action 'dance'"},
      {{"init"}, "needs the authority's folder"},
      {{"init", dir_}, "--server HOST[,HOST..]"},
      {{"init", dir_, "--server=h:9480"}, "host 'h:9480'"},
      {{"init", dir_, "--server=h", "--clients=a,,b"}, "--clients: name ''"},
      {{"init", dir_, "--server=h", "--operators=a b"}, "--operators: name 'a b'"},
      {{"init", dir_, "--server=h", "--clients=a,b,a"}, "'a' would have two certificates"},
      {{"init", dir_, "--server=h", "--clients=a", "--operators=a"}, "'a' would have two certificates"},
      {{"init", dir_, "--server=h", "--clients=server"}, "'server' would have two certificates"},
      {{"client", dir_, "--name=a", "--clients=b"}, "takes neither --clients nor --operators"},
      {{"client", dir_}, "--name NAME"},
      {{"client", dir_, "--name=../x"}, "name '../x'"},
      {{"client", dir_, "--name", "a b"}, "name 'a b'"},
      {{"client", dir_, "--name=" + std::string(65, 'a')}, "1 to 64"},
      {{"client", dir_, "--name=a", "--days=0"}, "--days is '0', must be 1..36500"},
      {{"client", dir_, "--name=a", "--server=h"}, "takes no --server"},
      {{"list", dir_, "--name=a"}, "takes no --name"},
      {{"list", dir_, "more"}, "'more'"},
      {{"list", dir_, "--speed"}, "--speed"},
      {{"list", dir_, "--format=xml"}, "'xml'"},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(Run(each.arguments), CliExit::kUsage) << each.message;
    EXPECT_THAT(err_, HasSubstr(each.message));
  }
  EXPECT_EQ(Run({"client", dir_, "--name=a"}), CliExit::kNotFound);
  EXPECT_THAT(err_, HasSubstr("thinwire certs init"));
  EXPECT_EQ(Run({"--help"}), CliExit::kOk);
  EXPECT_THAT(out_, AllOf(HasSubstr("revoke DIR"), HasSubstr("--clients NAME"), HasSubstr("Exit codes")));
}

}  // namespace
}  // namespace thinwire
