// thinwire-local: a federation on this machine. usage.txt is its manual.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "deploy/local/demo_options.h"
#include "deploy/local/exit_codes.h"
#include "deploy/local/run_demo.h"
#include "deploy/local/sockets.h"
#include "deploy/local/usage.h"

namespace thinwire {
namespace {

// Blocks the signals in this and all later threads; they are read from the descriptor.
UniqueFd BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, each);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::string ProgramsFolder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

constexpr char kProgram[] = "thinwire-local";

int Main(const std::vector<std::string>& arguments) {
  const absl::StatusOr<DemoOptions> options = ParseDemoOptions(arguments);
  if (!options.ok()) return ExitWithError(kProgram, options.status(), kExitWrongUsage);
  if (options->help) {
    std::fputs(kUsage, stdout);
    return kExitDone;
  }
  const UniqueFd signals = BlockSignals();
  std::FILE* const progress_out = options->json ? stderr : stdout;
  Progress progress(progress_out, isatty(fileno(progress_out)) != 0);
  const absl::StatusOr<RunReport> report = RunDemo(*options, ProgramsFolder(), signals.get(), &progress);
  if (!report.ok()) return ExitWithError(kProgram, report.status(), ExitCodeOf(report.status()));
  std::fputs((options->json ? ToJson(*report) : "\n" + ToText(*report)).c_str(), stdout);
  return ExitCodeOfState(report->state);
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) { return thinwire::Main(std::vector<std::string>(argv + 1, argv + argc)); }
