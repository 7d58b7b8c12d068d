#include "client/cli/certs.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/cli/certificate_folder.h"
#include "client/cli/verbs.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kAuthorityDays = 3650;
constexpr uint64_t kCertificateDays = 365;
constexpr uint64_t kMaxDays = 36'500;
// Clocks of machines that have just started are late.
constexpr absl::Duration kClockSlack = absl::Hours(1);

using Json = nlohmann::json;

absl::Status BadArgument(absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(message, "; see thinwire certs --help"));
}

absl::Status SetFlag(const std::string& name, const std::string& value, CertsCommand* command) {
  if (name == "--name") {
    command->name = value;
    return CheckCertificateName(value);
  }
  if (name == "--server") {
    command->hosts = absl::StrSplit(value, ',');
    for (const std::string& host : command->hosts) TW_RETURN_IF_ERROR(CheckHost(host));
    return absl::OkStatus();
  }
  if (name == "--days") {
    if (absl::SimpleAtoi(value, &command->days) && command->days >= 1 && command->days <= kMaxDays) {
      return absl::OkStatus();
    }
    return BadArgument(absl::StrCat("--days is '", value, "', must be 1..", kMaxDays));
  }
  if (value != "json" && value != "text")
    return BadArgument(absl::StrCat("--format is text or json, not '", value, "'"));
  command->json = value == "json";
  return absl::OkStatus();
}

absl::Status TakeArgument(const std::vector<std::string>& arguments, size_t* at, CertsCommand* command) {
  const std::string& argument = arguments[*at];
  if (argument == "--replace") {
    command->replace = true;
    return absl::OkStatus();
  }
  const std::string name = argument.substr(0, argument.find('='));
  if (name == "--name" || name == "--server" || name == "--days" || name == "--format") {
    if (name.size() < argument.size()) return SetFlag(name, argument.substr(name.size() + 1), command);
    if (*at + 1 >= arguments.size()) return BadArgument(absl::StrCat(name, " needs a value"));
    return SetFlag(name, arguments[++*at], command);
  }
  if (absl::StartsWith(argument, "--")) return BadArgument(absl::StrCat("unknown flag ", argument));
  std::string* const place = command->action.empty() ? &command->action : &command->directory;
  if (!place->empty()) return BadArgument(absl::StrCat("unexpected argument '", argument, "'"));
  *place = argument;
  return absl::OkStatus();
}

absl::Status CheckCommand(const CertsCommand& command) {
  const std::string& action = command.action;
  const bool named = action == "client" || action == "operator" || action == "revoke";
  if (!named && action != "init" && action != "server" && action != "list") {
    return BadArgument(action.empty() ? "init, server, client, operator, revoke or list?"
                                      : absl::StrCat("unknown action '", action, "'"));
  }
  if (command.directory.empty()) return BadArgument(absl::StrCat(action, " needs the authority's folder, DIR"));
  if (named && command.name.empty()) return BadArgument(absl::StrCat(action, " needs --name NAME"));
  if (!named && !command.name.empty()) return BadArgument(absl::StrCat(action, " takes no --name"));
  if (action == "init" && command.hosts.empty()) {
    return BadArgument("init needs --server HOST[,HOST..], the names and addresses by which clients dial the server");
  }
  if (!command.hosts.empty() && action != "init" && action != "server") {
    return BadArgument(absl::StrCat(action, " takes no --server"));
  }
  return absl::OkStatus();
}

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
  if (!pem.ok()) return BadArgument("server needs --server HOST[,HOST..]: there is no certificate to take them from");
  TW_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromPem(*pem));
  return certificate.Describe().hosts;
}

absl::StatusOr<Report> Issue(const CertsCommand& command, PeerRole role, CertificateFolder* folder) {
  CertificateRequest request{role, command.name, {}, ValidFor(kCertificateDays)};
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

absl::StatusOr<Report> Init(const CertsCommand& command) {
  TW_ASSIGN_OR_RETURN(
      CertificateFolder folder,
      CertificateFolder::Create(command.directory, ValidFor(command.days == 0 ? kAuthorityDays : command.days)));
  TW_ASSIGN_OR_RETURN(Report report, Issue(command, PeerRole::kServer, &folder));
  const TlsFiles files = folder.FilesOf(PeerRole::kServer, "");
  report.json = {{"directory", command.directory},
                 {"ca", folder.ca_path()},
                 {"revoked", folder.revoked_path()},
                 {"server", report.json}};
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
  if (command.action == "server") return Issue(command, PeerRole::kServer, &folder);
  if (command.action == "client") return Issue(command, PeerRole::kClient, &folder);
  if (command.action == "operator") return Issue(command, PeerRole::kOperator, &folder);
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

absl::StatusOr<CertsCommand> ParseCertsArguments(const std::vector<std::string>& arguments) {
  CertsCommand command;
  for (size_t at = 0; at < arguments.size(); ++at) {
    if (arguments[at] == "--help" || arguments[at] == "-h") {
      command.action = "help";
      return command;
    }
    TW_RETURN_IF_ERROR(TakeArgument(arguments, &at, &command));
  }
  TW_RETURN_IF_ERROR(CheckCommand(command));
  return command;
}

std::string CertsHelp() {
  return R"(Usage: thinwire certs ACTION DIR [OPTIONS]

A certificate authority in the folder DIR, and certificates from it, for mutual TLS between server, clients and
operators. Each certificate gets a folder below DIR with ca.pem, cert.pem and key.pem, to be carried to its machine as a
whole. DIR/ca.key stays where it is: who has it can be anybody. Nothing is ever overwritten unless --replace says so.

  init DIR --server HOST[,HOST..]  the authority and the server's certificate, for the names and addresses dialled
  client DIR --name NAME           for the client with the id NAME
  operator DIR --name NAME         for a user of this tool
  server DIR [--server HOST,..]    with --replace: a new certificate for the server, by default for the same hosts
  revoke DIR --name NAME           adds all certificates of NAME to DIR/revoked
  list DIR                         what was issued

Options:
  --days N            validity: of the authority with init (default 3650), else of the certificate (default 365)
  --replace           puts a new certificate and key in the place of those of that name
  --format text|json  (default text)

Exit codes: 0 done; 1 failed, for instance because something is there already; 2 wrong usage; 4 no such folder or name.
)";
}

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
