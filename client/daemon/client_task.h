// What a client program can be told to do by --task: the seam for trainers from outside of this tree. docs/extend.md
// shows a whole one.
#ifndef THINWIRE_CLIENT_DAEMON_CLIENT_TASK_H_
#define THINWIRE_CLIENT_DAEMON_CLIENT_TASK_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/daemon/client_flags.h"
#include "client/daemon/command_line.h"
#include "client/session/trainer.h"

namespace thinwire {

struct ClientTask {
  std::string name;                    // what --task says
  std::string help;                    // a few words for --help
  std::vector<CommandLineFlag> flags;  // its own, beside those of every client; tasks may share names
  // Makes the trainer, once, after all flags have been read. Errors are the user's, such as data that cannot be read:
  // the program prints them and ends with ClientExit::kUsage.
  std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const ClientFlags&)> make_trainer;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_CLIENT_TASK_H_
