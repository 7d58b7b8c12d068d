// thinwire: the operator's tool.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/certs.h"
#include "client/cli/verbs.h"

namespace {

// What flags leave out, the environment may say.
void FillFromEnvironment(thinwire::SecurityFlags* security) {
  if (security->insecure) return;
  const std::pair<const char*, std::string*> fields[] = {{"THINWIRE_CA", &security->files.ca},
                                                         {"THINWIRE_CERT", &security->files.certificate},
                                                         {"THINWIRE_KEY", &security->files.key}};
  for (const auto& [name, field] : fields) {
    const char* const value = std::getenv(name);
    if (field->empty() && value != nullptr) *field = value;
  }
}

int Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  using thinwire::CliExit;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments[0] == "certs") {
    return static_cast<int>(thinwire::RunCerts({arguments.begin() + 1, arguments.end()}));
  }
  absl::StatusOr<thinwire::CliCommand> command = thinwire::ParseCliArguments(arguments);
  if (!command.ok()) {
    thinwire::Complain(command.status());
    return static_cast<int>(CliExit::kUsage);
  }
  if (command->verb == "help") return Print(thinwire::CliHelp());
  if (command->verb == "version") return Print("thinwire " THINWIRE_VERSION "\n");
  FillFromEnvironment(&command->options.security);
  const std::map<std::string, std::function<CliExit(const thinwire::CliOptions&)>> verbs = {
      {"status", thinwire::RunStatus},   {"rounds", thinwire::RunRounds}, {"uploads", thinwire::RunUploads},
      {"clients", thinwire::RunClients}, {"start", thinwire::RunStart},   {"stop", thinwire::RunStop},
      {"watch", thinwire::RunWatch},     {"export", thinwire::RunExport}, {"inspect", thinwire::RunInspect}};
  return static_cast<int>(verbs.at(command->verb)(command->options));
}
