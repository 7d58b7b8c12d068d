#include "client/daemon/client_flags.h"

#include <algorithm>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/rpc/channel.h"
#include "client/session/state_folder.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

using Target = std::variant<std::string ClientFlags::*, uint64_t ClientFlags::*, bool ClientFlags::*>;

struct Flag {
  const char* name;
  const char* value;  // what stands for the value in the help; nullptr for a switch
  Target target;
  const char* help;
  uint64_t max = 0;  // of a number
};

constexpr uint64_t kAny = ~uint64_t{0};

const std::vector<Flag>& Flags() {
  using F = ClientFlags;
  static const auto* const flags = new std::vector<Flag>{
      {"--server", "HOST:PORT", &F::server, "the server's federation port (required)"},
      {"--role", "ROLE", &F::role, "trainer, or evaluator: measures versions on test data instead of training"},
      {"--task", "TASK", &F::task, "classify: images, with LibTorch; echo: returns the model plus seeded noise"},
      {"--state", "DIR", &F::state, "identity, downloads and undelivered updates; one folder for each client"},
      {"--client-id", "ID", &F::client_id, "1..64 of [A-Za-z0-9._-]; default: a random one kept in the state folder"},
      {"--model", "NAME", &F::model, "classify: mlp, cnn or m22-cnn"},
      {"--data", "DIR", &F::data, "classify: folder with four IDX files of the MNIST form, .gz or not"},
      {"--partition", "RULE", &F::partition, "classify: how samples are dealt out: iid, dirichlet:ALPHA, label:K"},
      {"--shard", "I/N", &F::shard, "classify: this client's part of the deal, 0/N to (N-1)/N"},
      {"--samples", "N", &F::samples, "classify: samples dealt out to all clients together; 0: all", kAny},
      {"--seed", "N", &F::seed, "classify: of the deal; the same for all clients", kAny},
      {"--device", "DEVICE", &F::device, "classify: cpu, cuda or cuda:N"},
      {"--threads", "N", &F::threads, "classify: computing threads; more than 1 may change results from run to run",
       1024},
      {"--echo-parameters", "N", &F::echo_parameters, "echo: size of the model to propose; 0: whatever the run has",
       uint64_t{1} << 40},
      {"--echo-examples", "N", &F::echo_examples, "echo: examples it says it has, its weight", uint64_t{1} << 40},
      {"--once", nullptr, &F::once, "leaves after one round, as --max-rounds 1"},
      {"--max-rounds", "N", &F::max_rounds, "leaves after so many rounds, whatever became of them; 0: no limit", kAny},
      {"--max-failures", "N", &F::max_failures, "gives up after so many failed calls in a row; 0: tries for ever",
       1'000'000'000},
      {"--ca", "FILE", &F::ca, "certificate of the authority that vouches for the server"},
      {"--cert", "FILE", &F::cert, "this client's certificate; the name in it is the client's id"},
      {"--key", "FILE", &F::key, "and its key; the three files are read again when they change"},
      {"--insecure", nullptr, &F::insecure, "the server is in plaintext: no certificates"},
      {"--log-level", "LEVEL", &F::log_level, "trace, debug, info, warn, error, critical or off"},
      {"--help", nullptr, &F::help, "prints this"},
      {"--version", nullptr, &F::version, "prints the version"},
  };
  return *flags;
}

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(what + "; --help lists the flags"); }

absl::Status SetValue(const Flag& flag, const std::string& text, ClientFlags* flags) {
  if (const auto* target = std::get_if<std::string ClientFlags::*>(&flag.target)) {
    flags->** target = text;
    return absl::OkStatus();
  }
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number > flag.max) {
    return Refuse(absl::StrCat(flag.name, " is '", text, "', must be a whole number from 0 to ", flag.max));
  }
  flags->*std::get<uint64_t ClientFlags::*>(flag.target) = number;
  return absl::OkStatus();
}

// Takes the flag at `*index`, and its value if it has one.
absl::Status TakeFlag(const std::vector<std::string>& arguments, size_t* index, ClientFlags* flags) {
  const std::string& argument = arguments[*index];
  const size_t equals = argument.find('=');
  const std::string name = argument.substr(0, equals);
  const auto& all = Flags();
  const auto flag = std::find_if(all.begin(), all.end(), [&](const Flag& each) { return name == each.name; });
  if (flag == all.end()) return Refuse(absl::StrCat("unknown flag '", argument, "'"));
  const bool inline_value = equals != std::string::npos;
  if (flag->value == nullptr) {
    if (inline_value) return Refuse(absl::StrCat(name, " takes no value"));
    flags->*std::get<bool ClientFlags::*>(flag->target) = true;
    return absl::OkStatus();
  }
  if (!inline_value && *index + 1 >= arguments.size()) {
    return Refuse(absl::StrCat(name, " needs a value, ", flag->value));
  }
  return SetValue(*flag, inline_value ? argument.substr(equals + 1) : arguments[++*index], flags);
}

absl::Status CheckChoice(const char* flag, const std::string& value, const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return absl::OkStatus();
  return Refuse(absl::StrCat(flag, " is '", value, "', not one of ", absl::StrJoin(choices, ", ")));
}

absl::Status NameFlag(const char* flag, const absl::Status& status) {
  return status.ok() ? status : Refuse(absl::StrCat(flag, ": ", status.message()));
}

absl::Status CheckFlags(const ClientFlags& flags) {
  if (flags.server.empty()) return Refuse("--server HOST:PORT is missing: name the server's federation port");
  TW_RETURN_IF_ERROR(NameFlag("--server", CheckServerAddress(flags.server)));
  TW_RETURN_IF_ERROR(CheckChoice("--role", flags.role, {"trainer", "evaluator"}));
  TW_RETURN_IF_ERROR(CheckChoice("--task", flags.task, {"classify", "echo"}));
  TW_RETURN_IF_ERROR(
      CheckChoice("--log-level", flags.log_level, {"trace", "debug", "info", "warn", "error", "critical", "off"}));
  const absl::Status security = CheckSecurityFlags(SecurityOf(flags), PeerRole::kClient);
  if (!security.ok()) return Refuse(std::string(security.message()));
  if (flags.threads == 0) return Refuse("--threads is 0, must be at least 1");
  if (flags.echo_examples == 0) return Refuse("--echo-examples is 0, must be at least 1");
  if (flags.state.empty()) return Refuse("--state is empty; name a folder");
  if (flags.once && flags.max_rounds > 1) return Refuse("--once contradicts --max-rounds; give one of them");
  if (!flags.client_id.empty()) {
    TW_RETURN_IF_ERROR(NameFlag("--client-id", StateFolder::CheckId(flags.client_id)));
  }
  return absl::OkStatus();
}

std::string DefaultOf(const Flag& flag) {
  const ClientFlags defaults;
  if (const auto* text = std::get_if<std::string ClientFlags::*>(&flag.target)) return defaults.**text;
  if (const auto* number = std::get_if<uint64_t ClientFlags::*>(&flag.target)) return absl::StrCat(defaults.**number);
  return "";
}

}  // namespace

SecurityFlags SecurityOf(const ClientFlags& flags) { return {{flags.ca, flags.cert, flags.key}, flags.insecure}; }

absl::StatusOr<ClientFlags> ParseClientFlags(const std::vector<std::string>& arguments) {
  ClientFlags flags;
  for (size_t i = 0; i < arguments.size(); ++i) {
    TW_RETURN_IF_ERROR(TakeFlag(arguments, &i, &flags));
  }
  if (flags.help || flags.version) return flags;
  TW_RETURN_IF_ERROR(CheckFlags(flags));
  if (flags.once) flags.max_rounds = 1;
  return flags;
}

std::string ClientHelp() {
  constexpr size_t kColumn = 26;
  std::string text =
      "Usage: thinwire-client --server HOST:PORT [flags]\n\n"
      "One participant of a federation: waits for rounds, trains on its own data, sends back what it learned. "
      "Whatever\n"
      "breaks, it comes back and goes on at the byte where it was.\n\n";
  for (const Flag& flag : Flags()) {
    const std::string name =
        absl::StrCat("  ", flag.name, flag.value == nullptr ? "" : " ", flag.value == nullptr ? "" : flag.value);
    const std::string fallback = DefaultOf(flag);
    absl::StrAppend(&text, name, std::string(name.size() < kColumn ? kColumn - name.size() : 1, ' '), flag.help,
                    fallback.empty() ? "" : absl::StrCat(" (default ", fallback, ")"), "\n");
  }
  absl::StrAppend(
      &text,
      "\nSIGTERM or SIGINT: gives up the round, tells the server, exits 0; a second one exits at once.\n\n"
      "Exit codes: 0 the run has ended, the rounds are done, or stopped by a signal; 2 wrong flags or data;\n"
      "3 the server refuses this client; 4 the run has failed; 5 gave up on the server (--max-failures), or\n"
      "none of the rounds came to anything; 6 the state folder cannot be used.\n");
  return text;
}

}  // namespace thinwire
