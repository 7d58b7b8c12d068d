// thinwire-client from its command line to its exit code.
#ifndef THINWIRE_CLIENT_DAEMON_CLIENT_PROGRAM_H_
#define THINWIRE_CLIENT_DAEMON_CLIENT_PROGRAM_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/daemon/client_flags.h"
#include "client/session/trainer.h"

namespace thinwire {

// Makes the trainer of --task classify. Errors are the user's: wrong data, model or device.
using ClassifierFactory = std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const ClientFlags&)>;

// `arguments`: without the program's name.
int RunClientProgram(const std::vector<std::string>& arguments, const ClassifierFactory& make_classifier);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_CLIENT_PROGRAM_H_
