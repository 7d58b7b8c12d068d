// thinwire-server: the daemon of a federation. See --help and docs/architecture.md.
#include <malloc.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "common/codec/float_environment.h"
#include "server/daemon/command_line.h"
#include "server/daemon/daemon.h"
#include "server/store/fail_point.h"

namespace thinwire {
namespace {

// The daemon's memory is to follow the model, not the number of threads that ever held a chunk: few arenas, and large
// blocks that go back to the system when they are freed.
void TuneMemory() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
}

// Each client is a connection, and the usual soft limit of 1024 descriptors is there for programs that use select().
void RaiseOpenFileLimit() {
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

void SetUpLog(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("thinwire-server");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->set_level(spdlog::level::from_str(level == "warn" ? "warning" : level));
  spdlog::set_default_logger(logger);
}

int Complain(const absl::Status& status) {
  std::cerr << "thinwire-server: " << status.message() << "\n";
  return kExitUsage;
}

int Main(const std::vector<std::string>& arguments) {
  const absl::StatusOr<CommandLine> flags = ParseCommandLine(arguments);
  if (!flags.ok()) return Complain(flags.status());
  if (flags->help) {
    std::cout << HelpText();
    return kExitOk;
  }
  if (flags->version) {
    std::cout << "thinwire-server " << THINWIRE_VERSION << "\n";
    return kExitOk;
  }
  absl::Status status = CheckFloatEnvironment();
  if (status.ok()) status = ArmFailPoint(flags->fail_point);
  if (!status.ok()) return Complain(status);
  const absl::StatusOr<ServerConfig> config = EffectiveConfiguration(*flags);
  if (!config.ok()) return Complain(config.status());
  if (flags->check) {
    std::cout << flags->config << " is good\n";
    return kExitOk;
  }
  SetUpLog(flags->log_level);
  return RunDaemon(*flags, *config);
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  thinwire::TuneMemory();
  thinwire::RaiseOpenFileLimit();
  signal(SIGPIPE, SIG_IGN);
  return thinwire::Main(std::vector<std::string>(argv + 1, argv + argc));
}
