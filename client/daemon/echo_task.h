// --task echo: no learning, for measuring communication. Every client program has it.
#ifndef THINWIRE_CLIENT_DAEMON_ECHO_TASK_H_
#define THINWIRE_CLIENT_DAEMON_ECHO_TASK_H_

#include "client/daemon/client_task.h"

namespace thinwire {

ClientTask EchoTask();

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_ECHO_TASK_H_
