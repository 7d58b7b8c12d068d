#include "client/cli/arguments.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

const std::vector<std::string> kVerbs = {"status", "rounds", "uploads", "clients", "watch",  "start",
                                         "stop",   "export", "inspect", "help",    "version"};

absl::Status BadArgument(absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(message, "; see thinwire --help"));
}

// Splits "--name=value" or takes the next argument as the value of "--name".
struct FlagReader {
  const std::vector<std::string>& arguments;
  size_t at = 0;

  absl::StatusOr<std::string> Value(absl::string_view name) {
    const std::string& argument = arguments[at];
    if (argument.size() > name.size()) return argument.substr(name.size() + 1);
    if (at + 1 >= arguments.size()) return BadArgument(absl::StrCat(name, " needs a value"));
    return arguments[++at];
  }
  bool Is(absl::string_view name) const {
    return arguments[at] == name || absl::StartsWith(arguments[at], absl::StrCat(name, "="));
  }
};

absl::Status ParseFormat(const std::string& value, CliOptions* options) {
  if (value != "json" && value != "text")
    return BadArgument(absl::StrCat("--format is text or json, not '", value, "'"));
  options->json = value == "json";
  return absl::OkStatus();
}

absl::Status ParseVersion(const std::string& value, CliOptions* options) {
  uint64_t version = 0;
  if (!absl::SimpleAtoi(value, &version)) return BadArgument(absl::StrCat("--version is a number, not '", value, "'"));
  options->version = version;
  return absl::OkStatus();
}

absl::Status ParseFlag(FlagReader* reader, CliOptions* options) {
  if (reader->Is("--server")) {
    TW_ASSIGN_OR_RETURN(options->server, reader->Value("--server"));
    return absl::OkStatus();
  }
  if (reader->Is("--out")) {
    TW_ASSIGN_OR_RETURN(options->out, reader->Value("--out"));
    return absl::OkStatus();
  }
  if (reader->Is("--insecure")) {
    if (reader->arguments[reader->at] != "--insecure") return BadArgument("--insecure takes no value");
    options->security.insecure = true;
    return absl::OkStatus();
  }
  if (reader->Is("--ca")) {
    TW_ASSIGN_OR_RETURN(options->security.files.ca, reader->Value("--ca"));
    return absl::OkStatus();
  }
  if (reader->Is("--cert")) {
    TW_ASSIGN_OR_RETURN(options->security.files.certificate, reader->Value("--cert"));
    return absl::OkStatus();
  }
  if (reader->Is("--key")) {
    TW_ASSIGN_OR_RETURN(options->security.files.key, reader->Value("--key"));
    return absl::OkStatus();
  }
  if (reader->Is("--reason")) {
    TW_ASSIGN_OR_RETURN(options->reason, reader->Value("--reason"));
    return absl::OkStatus();
  }
  if (reader->Is("--format")) {
    TW_ASSIGN_OR_RETURN(const std::string value, reader->Value("--format"));
    return ParseFormat(value, options);
  }
  if (reader->Is("--version")) {
    TW_ASSIGN_OR_RETURN(const std::string value, reader->Value("--version"));
    return ParseVersion(value, options);
  }
  return BadArgument(absl::StrCat("unknown flag ", reader->arguments[reader->at]));
}

absl::Status CheckCommand(const CliCommand& command) {
  if (std::find(kVerbs.begin(), kVerbs.end(), command.verb) == kVerbs.end()) {
    return BadArgument(command.verb.empty() ? "which verb?" : absl::StrCat("unknown verb '", command.verb, "'"));
  }
  if (command.verb == "inspect" && command.options.file.empty()) return BadArgument("inspect needs a payload file");
  if (command.verb == "export" && command.options.out.empty()) return BadArgument("export needs --out FILE");
  if (command.verb != "inspect" && !command.options.file.empty()) {
    return BadArgument(absl::StrCat("unexpected argument '", command.options.file, "'"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CliCommand> ParseCliArguments(const std::vector<std::string>& arguments) {
  CliCommand command;
  if (arguments.size() == 1 && arguments[0] == "--version") return CliCommand{"version", {}};
  for (FlagReader reader{arguments}; reader.at < arguments.size(); ++reader.at) {
    const std::string& argument = arguments[reader.at];
    if (argument == "--help" || argument == "-h") return CliCommand{"help", {}};
    if (absl::StartsWith(argument, "--")) {
      TW_RETURN_IF_ERROR(ParseFlag(&reader, &command.options));
    } else if (command.verb.empty()) {
      command.verb = argument;
    } else if (command.options.file.empty()) {
      command.options.file = argument;
    } else {
      return BadArgument(absl::StrCat("unexpected argument '", argument, "'"));
    }
  }
  TW_RETURN_IF_ERROR(CheckCommand(command));
  return command;
}

std::string CliHelp() {
  return R"(Usage: thinwire VERB [OPTIONS]

Shows, steers and exports what a Thinwire server does.

  status             the run now: state, round, clients, traffic, what is waited for
  watch              a line at each change, until the run ends
  rounds             a table of all rounds
  uploads            what the rounds' updates took: bits, share of the budget, what coding them lost, and accuracy
                     gained per megabit
  clients            who has joined: role, examples, how long silent, what its uplink carries and how well it used its
                     budget, what it does
  start              lets a run begin that waits for it (run.wait_for_start in the server's configuration)
  stop               ends the run as STOPPED and exports the newest version; the open round is lost
  export --out FILE  the model as a safetensors file
  inspect FILE       what a payload file holds: codec and bits of each tensor. Bits are for each value that it
                     carries: of top-k and changes an entry, its position included, of a sketch a cell, in a
                     subspace a coordinate; of an update under a budget, a value of the update
  certs ...          makes and revokes certificates; thinwire certs --help
  version            the version of this program

Options:
  --server HOST:PORT  the server's control port (default 127.0.0.1:9481)
  --ca FILE           whom to trust; or the environment's THINWIRE_CA
  --cert FILE         the operator's certificate; or THINWIRE_CERT
  --key FILE          and its key; or THINWIRE_KEY
  --insecure          the server is in plaintext: no certificates
  --format text|json  (default text; json is one object a line, fields as in control.proto)
  --out FILE          export: where to write
  --version N         export: which version of the model (default: the newest)
  --reason TEXT       stop: what status and log are to say

Exit codes: 0 done; 1 failed; 2 wrong usage, or certificate files of no use; 3 no answer from the server; 4 no such
file or version; 5 inspect: damaged or malformed payload; 6 watch: the run ended as FAILED; 7 start, stop: the run has
ended already; 8 the server refuses this certificate.
)";
}

}  // namespace thinwire
