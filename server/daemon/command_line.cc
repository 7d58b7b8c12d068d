#include "server/daemon/command_line.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/store/fail_point.h"

namespace thinwire {
namespace {

struct TextFlag {
  const char* name;
  const char* value;
  std::string CommandLine::*target;
  const char* help;
};
constexpr std::array<TextFlag, 7> kTextFlags = {{
    {"--config", "FILE", &CommandLine::config,
     "the configuration, a FederationConfig in protobuf text format (required)"},
    {"--state-dir", "DIR", &CommandLine::state_dir, "overrides storage.directory"},
    {"--listen-federation", "HOST:PORT", &CommandLine::listen_federation,
     "overrides listen.federation; port 0 picks one"},
    {"--listen-control", "HOST:PORT", &CommandLine::listen_control, "overrides listen.control"},
    {"--listen-http", "HOST:PORT", &CommandLine::listen_http, "overrides listen.http"},
    {"--log-level", "LEVEL", &CommandLine::log_level, "trace, debug, info, warn, error or critical; default info"},
    {"--fail-point", "NAME[:N]", &CommandLine::fail_point,
     "for tests of durability: dies, as if by kill -9, at the N-th passage of"},
}};

struct SwitchFlag {
  const char* name;
  bool CommandLine::*target;
  const char* help;
};
constexpr std::array<SwitchFlag, 5> kSwitchFlags = {{
    {"--insecure", &CommandLine::insecure,
     "overrides security: plaintext, and everybody who reaches a port may use it"},
    {"--exit-when-done", &CommandLine::exit_when_done, "exits soon after the run has ended and its clients know"},
    {"--check", &CommandLine::check, "checks the configuration and exits"},
    {"--help", &CommandLine::help, "prints this"},
    {"--version", &CommandLine::version, "prints the version"},
}};

constexpr std::array<const char*, 6> kLogLevels = {"trace", "debug", "info", "warn", "error", "critical"};

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(what + "; --help lists the flags"); }

// Takes the flag at `*index`, and its value if it has one.
absl::Status TakeFlag(const std::vector<std::string>& arguments, size_t* index, CommandLine* result) {
  const std::string& argument = arguments[*index];
  const size_t equals = argument.find('=');
  const std::string name = argument.substr(0, equals);
  for (const SwitchFlag& flag : kSwitchFlags) {
    if (name != flag.name) continue;
    if (equals != std::string::npos) return Refuse(absl::StrCat(name, " takes no value"));
    result->*flag.target = true;
    return absl::OkStatus();
  }
  for (const TextFlag& flag : kTextFlags) {
    if (name != flag.name) continue;
    const bool has_value = equals != std::string::npos || *index + 1 < arguments.size();
    if (!has_value) return Refuse(absl::StrCat(name, " needs a value, ", flag.value));
    result->*flag.target = equals != std::string::npos ? argument.substr(equals + 1) : arguments[++*index];
    return absl::OkStatus();
  }
  return Refuse(absl::StrCat("unknown flag '", argument, "'"));
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const absl::Status status = TakeFlag(arguments, &i, &result);
    if (!status.ok()) return status;
  }
  if (result.help || result.version) return result;
  if (std::find(kLogLevels.begin(), kLogLevels.end(), result.log_level) == kLogLevels.end()) {
    return Refuse(
        absl::StrCat("--log-level is '", result.log_level, "', not one of ", absl::StrJoin(kLogLevels, ", ")));
  }
  if (result.config.empty()) return Refuse("--config FILE is missing");
  return result;
}

std::string HelpText() {
  std::string text =
      "Usage: thinwire-server --config FILE [flags]\n\n"
      "Runs a federation: hands out work to clients, folds their updates, keeps the model. Everything durable is in "
      "the\n"
      "state directory; a server that was killed goes on where it stood.\n\n";
  for (const TextFlag& flag : kTextFlags) {
    const std::string name = absl::StrCat("  ", flag.name, " ", flag.value);
    absl::StrAppend(&text, name, std::string(name.size() < 32 ? 32 - name.size() : 1, ' '), flag.help, "\n");
  }
  absl::StrAppend(&text, std::string(34, ' '), absl::StrJoin(FailPointNames(), ",\n" + std::string(34, ' ')), "\n");
  for (const SwitchFlag& flag : kSwitchFlags) {
    const std::string name = absl::StrCat("  ", flag.name);
    absl::StrAppend(&text, name, std::string(32 - name.size(), ' '), flag.help, "\n");
  }
  absl::StrAppend(
      &text,
      "\nSIGTERM or SIGINT stops it gracefully: the run can be resumed. The addresses it listens on are in\n"
      "STATE/endpoints.json.\n\n"
      "Exit codes: 0 stopped, or the run has ended; 2 bad flags or configuration, or an address that is taken; 3 the\n"
      "state directory cannot be used, at the start or later; 4 the run has failed.\n");
  return text;
}

}  // namespace thinwire
