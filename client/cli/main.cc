// thinwire: the operator's tool.
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/verbs.h"

namespace {

int Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  using thinwire::CliExit;
  const absl::StatusOr<thinwire::CliCommand> command =
      thinwire::ParseCliArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (!command.ok()) {
    thinwire::Complain(command.status());
    return static_cast<int>(CliExit::kUsage);
  }
  if (command->verb == "help") return Print(thinwire::CliHelp());
  if (command->verb == "version") return Print("thinwire " THINWIRE_VERSION "\n");
  const std::map<std::string, std::function<CliExit(const thinwire::CliOptions&)>> verbs = {
      {"status", thinwire::RunStatus}, {"rounds", thinwire::RunRounds},  {"clients", thinwire::RunClients},
      {"start", thinwire::RunStart},   {"stop", thinwire::RunStop},      {"watch", thinwire::RunWatch},
      {"export", thinwire::RunExport}, {"inspect", thinwire::RunInspect}};
  return static_cast<int>(verbs.at(command->verb)(command->options));
}
