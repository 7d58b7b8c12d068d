#include "deploy/local/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr int64_t kTailBytes = 16 * 1024;

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& string : *strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> MergedEnvironment(const std::vector<std::string>& additions) {
  const auto name_of = [](const std::string& entry) { return entry.substr(0, entry.find('=')); };
  std::vector<std::string> merged = additions;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const bool replaced = std::any_of(additions.begin(), additions.end(), [&](const std::string& addition) {
      return name_of(addition) == name_of(*entry);
    });
    if (!replaced) merged.emplace_back(*entry);
  }
  return merged;
}

// Between fork and exec in a program with threads: async-signal-safe calls only. On failure writes errno to `report`.
[[noreturn]] void BecomeProgram(pid_t parent, int log, int report, char* const* argv, char* const* envp) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent ended before prctl took effect
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  const int null = open("/dev/null", O_RDONLY);
  if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0) {
    execve(argv[0], argv, envp);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(report, &error, sizeof(error));
  _exit(127);
}

// glibc 2.36 declares its pidfd_open without C linkage.
int OpenPidfd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

absl::Status StartError(const std::string& program, int error) {
  const std::string message = absl::StrCat("cannot run ", program, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EACCES) return absl::PermissionDeniedError(message);
  return absl::InternalError(message);
}

ProcessExit ToExit(int status, const rusage& usage) {
  ProcessExit exit;
  exit.signaled = WIFSIGNALED(status);
  exit.code = exit.signaled ? WTERMSIG(status) : WEXITSTATUS(status);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  exit.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  exit.peak_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  return exit;
}

}  // namespace

std::string ProcessExit::Describe() const {
  if (signaled) return absl::StrCat("was ended by signal ", code, " (", strsignal(code), ")");
  return absl::StrCat("exited with code ", code);
}

absl::StatusOr<ChildProcess> ChildProcess::Start(const ProcessSpec& spec) {
  if (spec.command.empty()) return absl::InvalidArgumentError(absl::StrCat("no command for ", spec.name));
  UniqueFd log(open(spec.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log.valid()) return SystemError(spec.log_path);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("pipe2");
  UniqueFd failure(ends[0]), report(ends[1]);
  std::vector<std::string> command = spec.command;
  std::vector<std::string> environment = MergedEnvironment(spec.environment);
  const std::vector<char*> argv = Pointers(&command);
  const std::vector<char*> envp = Pointers(&environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return SystemError("fork");
  if (pid == 0) BecomeProgram(parent, log.get(), report.get(), argv.data(), envp.data());
  setpgid(pid, pid);  // here too: whoever of the two comes first
  ChildProcess child(spec, pid, UniqueFd(OpenPidfd(pid)));
  report.Reset();
  int error = 0;
  if (read(failure.get(), &error, sizeof(error)) == sizeof(error)) return StartError(spec.command[0], error);
  if (!child.pidfd_.valid()) return SystemError("pidfd_open");
  return child;
}

ChildProcess::ChildProcess(const ProcessSpec& spec, pid_t pid, UniqueFd pidfd)
    : name_(spec.name), log_path_(spec.log_path), pid_(pid), pidfd_(std::move(pidfd)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : name_(std::move(other.name_)),
      log_path_(std::move(other.log_path_)),
      pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      exit_(other.exit_) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || exit_) return;
  kill(-pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::Signal(int signal) const {
  if (!exit_) kill(pid_, signal);
}

std::optional<ProcessExit> ChildProcess::Wait(absl::Duration timeout) {
  if (exit_) return exit_;
  const int milliseconds = static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(timeout), 1'000'000'000));
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (poll(&ended, 1, std::max(milliseconds, 0)) <= 0) return std::nullopt;
  int status = 0;
  rusage usage{};
  if (wait4(pid_, &status, 0, &usage) == pid_) exit_ = ToExit(status, usage);
  return exit_;
}

ProcessExit ChildProcess::Stop(absl::Duration grace) {
  Signal(SIGTERM);
  if (!Wait(grace)) kill(-pid_, SIGKILL);
  while (!Wait(absl::Seconds(1))) {
  }
  return *exit_;
}

std::string FileTail(const std::string& path, int lines) {
  absl::StatusOr<File> file = File::OpenForRead(path);
  if (!file.ok()) return "";
  const auto size = static_cast<int64_t>(file->Size().value_or(0));
  std::string text(static_cast<size_t>(std::min(size, kTailBytes)), '\0');
  if (!file->ReadAt(static_cast<uint64_t>(size) - text.size(), text.size(), text.data()).ok()) return "";
  std::vector<std::string> all = absl::StrSplit(text, '\n', absl::SkipEmpty());
  const size_t first = all.size() - std::min<size_t>(all.size(), static_cast<size_t>(lines));
  std::string tail;
  for (size_t i = first; i < all.size(); ++i) absl::StrAppend(&tail, "  ", all[i], "\n");
  return tail;
}

}  // namespace thinwire
