// A client from its command line to its exit code: thinwire-client, and whatever brings a trainer of its own.
#ifndef THINWIRE_CLIENT_DAEMON_CLIENT_PROGRAM_H_
#define THINWIRE_CLIENT_DAEMON_CLIENT_PROGRAM_H_

#include <string>
#include <vector>

#include "client/daemon/client_task.h"

namespace thinwire {

struct ClientProgram {
  std::string name = "thinwire-client";  // in messages, help and log
  std::vector<ClientTask> tasks;         // the first is the default of --task; echo is added to them
};

// `arguments`: without the program's name. To be called from main, before any other thread is started: it takes over
// SIGINT, SIGTERM and SIGPIPE. Returns what main is to return, a ClientExit.
int RunClientProgram(const std::vector<std::string>& arguments, ClientProgram program);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_CLIENT_PROGRAM_H_
