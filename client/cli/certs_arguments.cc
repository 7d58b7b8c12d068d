// What `thinwire certs` is told, and what it takes.
#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/certificate_maker.h"
#include "client/cli/certs.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kMaxDays = 36'500;

absl::Status BadArgument(absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(message, "; see thinwire certs --help"));
}

absl::Status SetNames(const std::string& flag, const std::string& value, std::vector<std::string>* names) {
  *names = absl::StrSplit(value, ',');
  for (const std::string& name : *names) {
    const absl::Status status = CheckCertificateName(name);
    if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat(flag, ": ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status SetFlag(const std::string& name, const std::string& value, CertsCommand* command) {
  if (name == "--name") {
    command->name = value;
    return CheckCertificateName(value);
  }
  if (name == "--clients") return SetNames(name, value, &command->clients);
  if (name == "--operators") return SetNames(name, value, &command->operators);
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
  const auto& known = {"--name", "--server", "--clients", "--operators", "--days", "--format"};
  if (std::find(known.begin(), known.end(), name) != known.end()) {
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

// A name says who a call is from: it has one certificate, and one role.
absl::Status CheckDifferent(const CertsCommand& command) {
  std::set<std::string> names = {RoleName(PeerRole::kServer)};
  for (const auto* const some : {&command.clients, &command.operators}) {
    for (const std::string& name : *some) {
      if (names.insert(name).second) continue;
      return BadArgument(absl::StrCat("'", name, "' would have two certificates; choose another name"));
    }
  }
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
  if (action != "init" && !(command.clients.empty() && command.operators.empty())) {
    return BadArgument(absl::StrCat(action, " takes neither --clients nor --operators"));
  }
  return CheckDifferent(command);
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

  init DIR --server HOST[,HOST..] [--clients NAME,..] [--operators NAME,..]
                                   the authority, the server's certificate, for the names and addresses dialled, and
                                   one for each of the clients and operators; all of it or nothing
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

}  // namespace thinwire
