#include "client/cli/certs.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/cli/certificate_folder.h"
#include "client/cli/verbs.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kAuthorityDays = 3650;
constexpr uint64_t kCertificateDays = 365;
// Clocks of machines that have just started are late.
constexpr absl::Duration kClockSlack = absl::Hours(1);

using Json = nlohmann::json;

Validity ValidFor(uint64_t days) {
  const absl::Time now = absl::Now();
  return {now - kClockSlack, now + absl::Hours(24) * static_cast<int64_t>(days)};
}

std::string Day(absl::Time time) { return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()); }

Json ToJson(const IssuedCertificate& issued) {
  return {{"name", issued.name},
          {"role", RoleName(issued.role)},
          {"serial", issued.serial},
          {"not_after", absl::FormatTime(absl::RFC3339_sec, issued.not_after, absl::UTCTimeZone())},
          {"revoked", issued.revoked}};
}

std::string ToText(const IssuedCertificate& issued) {
  return absl::StrFormat("%-8s %-24s until %s  serial %s%s\n", RoleName(issued.role), issued.name,
                         Day(issued.not_after), issued.serial, issued.revoked ? "  revoked" : "");
}

// Both forms of what an action has to say.
struct Report {
  Json json;
  std::string text;
};

// Names of this machine are always among them: operators call from there.
std::vector<std::string> WithLocal(std::vector<std::string> hosts) {
  for (const char* local : {"localhost", "127.0.0.1", "::1"}) {
    if (std::find(hosts.begin(), hosts.end(), local) == hosts.end()) hosts.push_back(local);
  }
  return hosts;
}

absl::StatusOr<std::vector<std::string>> HostsOfNow(const CertificateFolder& folder) {
  const absl::StatusOr<std::string> pem = ReadWholeFile(folder.FilesOf(PeerRole::kServer, "").certificate, 1 << 20);
  if (!pem.ok())
    return absl::InvalidArgumentError(
        "server needs --server HOST[,HOST..]: there is no certificate to take them from; see thinwire certs --help");
  TW_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromPem(*pem));
  return certificate.Describe().hosts;
}

absl::StatusOr<Report> Issue(const CertsCommand& command, PeerRole role, const std::string& name,
                             CertificateFolder* folder) {
  CertificateRequest request{role, name, {}, ValidFor(kCertificateDays)};
  if (command.days != 0 && command.action != "init") request.validity = ValidFor(command.days);
  if (role == PeerRole::kServer) {
    request.hosts = command.hosts;
    if (request.hosts.empty()) {
      TW_ASSIGN_OR_RETURN(request.hosts, HostsOfNow(*folder));
    }
    request.hosts = WithLocal(std::move(request.hosts));
  }
  TW_ASSIGN_OR_RETURN(const IssuedCertificate issued, folder->Issue(request, command.replace));
  const TlsFiles files = folder->FilesOf(role, issued.name);
  Report report{ToJson(issued), ToText(issued)};
  report.json["files"] = {{"ca", files.ca}, {"certificate", files.certificate}, {"key", files.key}};
  absl::StrAppend(&report.text, "  ", files.ca, "\n  ", files.certificate, "\n  ", files.key, "\n");
  return report;
}

// Adds to what `report` says under `key`.
absl::Status IssueEach(const CertsCommand& command, PeerRole role, const std::vector<std::string>& names,
                       const char* key, CertificateFolder* folder, Report* report) {
  report->json[key] = Json::array();
  for (const std::string& name : names) {
    TW_ASSIGN_OR_RETURN(const Report issued, Issue(command, role, name, folder));
    report->json[key].push_back(issued.json);
    report->text += issued.text;
  }
  return absl::OkStatus();
}

absl::StatusOr<Report> InitIn(const CertsCommand& command, CertificateFolder* folder) {
  TW_ASSIGN_OR_RETURN(Report report, Issue(command, PeerRole::kServer, "", folder));
  report.json = {{"directory", command.directory},
                 {"ca", folder->ca_path()},
                 {"revoked", folder->revoked_path()},
                 {"server", report.json}};
  TW_RETURN_IF_ERROR(IssueEach(command, PeerRole::kClient, command.clients, "clients", folder, &report));
  TW_RETURN_IF_ERROR(IssueEach(command, PeerRole::kOperator, command.operators, "operators", folder, &report));
  return report;
}

absl::StatusOr<Report> Init(const CertsCommand& command) {
  TW_ASSIGN_OR_RETURN(
      CertificateFolder folder,
      CertificateFolder::Create(command.directory, ValidFor(command.days == 0 ? kAuthorityDays : command.days)));
  absl::StatusOr<Report> made = InitIn(command, &folder);
  if (!made.ok()) {
    folder.Discard();
    return made.status();
  }
  Report report = *std::move(made);
  const TlsFiles files = folder.FilesOf(PeerRole::kServer, "");
  report.text = absl::StrCat("An authority in ", command.directory, ", until ", Day(folder.authority_not_after()),
                             "; ca.key stays there.\n", report.text,
                             "\nFor the server's configuration:\n  security {\n    ca: \"", files.ca,
                             "\"\n    certificate: \"", files.certificate, "\"\n    key: \"", files.key,
                             "\"\n    revoked: \"", folder.revoked_path(), "\"\n  }\nNext: thinwire certs client ",
                             command.directory, " --name NAME, and operator; see docs/security.md.\n");
  return report;
}

Report ListReport(const std::vector<IssuedCertificate>& certificates, const char* none) {
  Report report{{{"certificates", Json::array()}}, certificates.empty() ? none : ""};
  for (const IssuedCertificate& each : certificates) {
    report.json["certificates"].push_back(ToJson(each));
    report.text += ToText(each);
  }
  return report;
}

absl::StatusOr<Report> Run(const CertsCommand& command) {
  if (command.action == "init") return Init(command);
  TW_ASSIGN_OR_RETURN(CertificateFolder folder, CertificateFolder::Open(command.directory));
  if (command.action == "server") return Issue(command, PeerRole::kServer, "", &folder);
  if (command.action == "client") return Issue(command, PeerRole::kClient, command.name, &folder);
  if (command.action == "operator") return Issue(command, PeerRole::kOperator, command.name, &folder);
  if (command.action == "list") {
    TW_ASSIGN_OR_RETURN(const std::vector<IssuedCertificate> all, folder.List());
    return ListReport(all, "none\n");
  }
  TW_ASSIGN_OR_RETURN(const std::vector<IssuedCertificate> revoked, folder.Revoke(command.name));
  Report report = ListReport(revoked, "all of them were revoked before\n");
  report.json["revoked"] = folder.revoked_path();
  absl::StrAppend(&report.text, "A server with revoked: \"", folder.revoked_path(),
                  "\" refuses them from the next call on; a copy of that file elsewhere has to be renewed.\n");
  return report;
}

}  // namespace

CliExit RunCerts(const std::vector<std::string>& arguments) {
  const absl::StatusOr<CertsCommand> command = ParseCertsArguments(arguments);
  if (!command.ok()) {
    Complain(command.status());
    return CliExit::kUsage;
  }
  if (command->action == "help") {
    std::fputs(CertsHelp().c_str(), stdout);
    return CliExit::kOk;
  }
  const absl::StatusOr<Report> report = Run(*command);
  if (absl::IsInvalidArgument(report.status())) {
    Complain(report.status());
    return CliExit::kUsage;
  }
  if (!report.ok()) return ComplainOfFile(report.status());
  std::fputs(command->json ? (report->json.dump() + "\n").c_str() : report->text.c_str(), stdout);
  return CliExit::kOk;
}

}  // namespace thinwire
