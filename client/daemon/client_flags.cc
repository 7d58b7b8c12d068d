#include "client/daemon/client_flags.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/daemon/client_task.h"
#include "client/daemon/command_line.h"
#include "client/rpc/channel.h"
#include "client/session/state_folder.h"
#include "common/base/link_rate.h"
#include "common/base/status_macros.h"
#include "common/rpc/credentials.h"

namespace thinwire {
namespace {

std::vector<std::string> Names(const std::vector<ClientTask>& tasks) {
  std::vector<std::string> names;
  for (const ClientTask& task : tasks) names.push_back(task.name);
  return names;
}

std::string DescribeTasks(const std::vector<ClientTask>& tasks) {
  std::vector<std::string> lines;
  for (const ClientTask& task : tasks) lines.push_back(absl::StrCat(task.name, ": ", task.help));
  return absl::StrJoin(lines, "; ");
}

// What --task says, before the flags are read: which flags there are depends on it.
std::string ChosenTask(const std::vector<std::string>& arguments, const std::string& fallback) {
  std::string chosen = fallback;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view value = arguments[i];
    if (absl::ConsumePrefix(&value, "--task=")) chosen = std::string(value);
    if (value == "--task" && i + 1 < arguments.size()) chosen = arguments[++i];
  }
  return chosen;
}

// The chosen task's flags, then those of the others under names that are still free.
void AddTaskFlags(const std::vector<ClientTask>& tasks, const std::string& chosen, std::vector<CommandLineFlag>* all) {
  for (const ClientTask& task : tasks) {
    if (task.name == chosen) all->insert(all->end(), task.flags.begin(), task.flags.end());
  }
  for (const ClientTask& task : tasks) {
    if (task.name == chosen) continue;
    for (const CommandLineFlag& flag : task.flags) {
      const auto same = [&](const CommandLineFlag& other) { return other.name == flag.name; };
      if (std::none_of(all->begin(), all->end(), same)) all->push_back(flag);
    }
  }
}

std::vector<CommandLineFlag> CommonFlags(const std::vector<ClientTask>& tasks, ClientFlags* flags) {
  return {
      {"--server", "HOST:PORT", &flags->server, "the server's federation port (required)"},
      {"--role", "ROLE", &flags->role, "trainer, or evaluator: measures versions on test data instead of training"},
      {"--task", "TASK", &flags->task, DescribeTasks(tasks)},
      {"--state", "DIR", &flags->state, "identity, downloads and undelivered updates; one folder for each client"},
      {"--client-id", "ID", &flags->client_id,
       "1..64 of [A-Za-z0-9._-]; default: a random one kept in the state folder"},
      {"--once", "", &flags->once, "leaves after one round, as --max-rounds 1"},
      {"--max-rounds", "N", &flags->max_rounds, "leaves after so many rounds, whatever became of them; 0: no limit"},
      {"--max-failures", "N", &flags->max_failures, "gives up after so many failed calls in a row; 0: tries for ever",
       0, 1'000'000'000},
      {"--uplink", "RATE", &flags->uplink,
       "uploads take no more of the link, for example 128kbit or 1.5Mbit; default: no limit"},
      {"--ca", "FILE", &flags->ca, "certificate of the authority that vouches for the server"},
      {"--cert", "FILE", &flags->cert, "this client's certificate; the name in it is the client's id"},
      {"--key", "FILE", &flags->key, "and its key; the three files are read again when they change"},
      {"--insecure", "", &flags->insecure, "the server is in plaintext: no certificates"},
      {"--log-level", "LEVEL", &flags->log_level, "trace, debug, info, warn, error, critical or off"},
      {"--help", "", &flags->help, "prints this"},
      {"--version", "", &flags->version, "prints the version"},
  };
}

absl::Status CheckChoice(const char* flag, const std::string& value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return absl::OkStatus();
  return RefuseFlag(absl::StrCat(flag, " is '", value, "', not one of ", absl::StrJoin(choices, ", ")));
}

absl::Status NameFlag(const char* flag, const absl::Status& status) {
  return status.ok() ? status : RefuseFlag(absl::StrCat(flag, ": ", status.message()));
}

absl::Status CheckFlags(const ClientFlags& flags, const std::vector<ClientTask>& tasks) {
  if (flags.server.empty()) return RefuseFlag("--server HOST:PORT is missing: name the server's federation port");
  TW_RETURN_IF_ERROR(NameFlag("--server", CheckServerAddress(flags.server)));
  TW_RETURN_IF_ERROR(CheckChoice("--role", flags.role, {"trainer", "evaluator"}));
  TW_RETURN_IF_ERROR(CheckChoice("--task", flags.task, Names(tasks)));
  TW_RETURN_IF_ERROR(
      CheckChoice("--log-level", flags.log_level, {"trace", "debug", "info", "warn", "error", "critical", "off"}));
  const absl::Status security = CheckSecurityFlags(SecurityOf(flags), PeerRole::kClient);
  if (!security.ok()) return RefuseFlag(std::string(security.message()));
  if (!flags.uplink.empty()) TW_RETURN_IF_ERROR(NameFlag("--uplink", ParseLinkRate(flags.uplink).status()));
  if (flags.state.empty()) return RefuseFlag("--state is empty; name a folder");
  if (flags.once && flags.max_rounds > 1) return RefuseFlag("--once contradicts --max-rounds; give one of them");
  if (!flags.client_id.empty()) {
    TW_RETURN_IF_ERROR(NameFlag("--client-id", StateFolder::CheckId(flags.client_id)));
  }
  return absl::OkStatus();
}

}  // namespace

SecurityFlags SecurityOf(const ClientFlags& flags) { return {{flags.ca, flags.cert, flags.key}, flags.insecure}; }

absl::StatusOr<ClientFlags> ParseClientFlags(const std::vector<std::string>& arguments,
                                             const std::vector<ClientTask>& tasks) {
  ClientFlags flags;
  if (!tasks.empty()) flags.task = tasks.front().name;
  std::vector<CommandLineFlag> all = CommonFlags(tasks, &flags);
  const std::string chosen = ChosenTask(arguments, flags.task);
  AddTaskFlags(tasks, chosen, &all);
  TW_RETURN_IF_ERROR(ReadCommandLine(arguments, all));
  if (flags.help || flags.version) return flags;
  if (flags.task != chosen) return RefuseFlag(absl::StrCat("is the task '", chosen, "' or '", flags.task, "'?"));
  TW_RETURN_IF_ERROR(CheckFlags(flags, tasks));
  if (flags.once) flags.max_rounds = 1;
  return flags;
}

std::string ClientHelp(const std::string& name, const std::vector<ClientTask>& tasks) {
  ClientFlags defaults;
  if (!tasks.empty()) defaults.task = tasks.front().name;
  std::string text = absl::StrCat("Usage: ", name, " --server HOST:PORT [flags]\n\n",
                                  "One participant of a federation: waits for rounds, trains on its own data, sends "
                                  "back what it learned. Whatever\n"
                                  "breaks, it comes back and goes on at the byte where it was.\n\n",
                                  DescribeFlags(CommonFlags(tasks, &defaults)));
  for (const ClientTask& task : tasks) {
    if (!task.flags.empty()) absl::StrAppend(&text, "\nWith --task ", task.name, ":\n", DescribeFlags(task.flags));
  }
  absl::StrAppend(
      &text,
      "\nSIGTERM or SIGINT: gives up the round, tells the server, exits 0; a second one exits at once.\n\n"
      "Exit codes: 0 the run has ended, the rounds are done, or stopped by a signal; 2 wrong flags, certificates or\n"
      "data; 3 the server refuses this client; 4 the run has failed; 5 gave up on the server (--max-failures), or\n"
      "none of the rounds came to anything; 6 the state folder cannot be used; 128 + N ended at once by a second\n"
      "signal N.\n");
  return text;
}

}  // namespace thinwire
