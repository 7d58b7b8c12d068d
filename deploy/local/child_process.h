// Programs run beside this one, with their output in files.
#ifndef THINWIRE_DEPLOY_LOCAL_CHILD_PROCESS_H_
#define THINWIRE_DEPLOY_LOCAL_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "deploy/local/sockets.h"

namespace thinwire {

struct ProcessSpec {
  std::string name;                      // for messages
  std::vector<std::string> command;      // path of the program, then its arguments
  std::vector<std::string> environment;  // "NAME=value", besides what this process has
  std::string log_path;                  // takes stdout and stderr; created or appended to
};

struct ProcessExit {
  bool signaled = false;
  int code = 0;  // exit code, or the signal's number
  double cpu_seconds = 0;
  uint64_t peak_rss_bytes = 0;

  bool ok() const { return !signaled && code == 0; }
  // "exited with code 3", "was ended by signal 9 (Killed)".
  std::string Describe() const;
};

// One running or ended child, leader of a process group of its own, so that Ctrl-C at the terminal reaches only the
// parent. The child is killed when the thread that started it ends, however that happens: start children from the main
// thread. Owned by one thread at a time, except that fd() may be polled by another.
class ChildProcess {
 public:
  // NOT_FOUND if there is no such program, PERMISSION_DENIED if it can't be run.
  static absl::StatusOr<ChildProcess> Start(const ProcessSpec& spec);
  // Kills the process group if it still runs, and waits for its end.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  const std::string& name() const { return name_; }
  const std::string& log_path() const { return log_path_; }
  pid_t pid() const { return pid_; }
  // Readable once the process has ended.
  int fd() const { return pidfd_.get(); }

  // To the process, not to its group; nothing if it has ended.
  void Signal(int signal) const;
  // How it ended, waiting at most `timeout` for that; nullopt if it still runs.
  std::optional<ProcessExit> Wait(absl::Duration timeout);
  // SIGTERM, and SIGKILL to the group if that hasn't ended it within `grace`.
  ProcessExit Stop(absl::Duration grace);

 private:
  ChildProcess(const ProcessSpec& spec, pid_t pid, UniqueFd pidfd);

  std::string name_;
  std::string log_path_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ProcessExit> exit_;
};

// The last `lines` lines of a text file, at most 16 KiB, each indented by two spaces; "" if there is no such file.
std::string FileTail(const std::string& path, int lines);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_CHILD_PROCESS_H_
