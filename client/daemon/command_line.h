// Flags of a client program as data: what is read, what --help prints.
#ifndef THINWIRE_CLIENT_DAEMON_COMMAND_LINE_H_
#define THINWIRE_CLIENT_DAEMON_COMMAND_LINE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace thinwire {

// Where a flag's value goes: a text, a whole number, or true for a switch. What stands there is the flag's default.
using FlagTarget = std::variant<std::string*, uint64_t*, bool*>;

struct CommandLineFlag {
  std::string name;   // with its dashes: "--data"
  std::string value;  // what stands for the value in the help: "DIR"; empty for a switch
  FlagTarget target;  // must outlive the reading and the help
  std::string help;
  uint64_t min = 0;  // of a number
  uint64_t max = ~uint64_t{0};
};

// Flags are "--name value" or "--name=value"; a later one wins. INVALID_ARGUMENT, naming flag, value, limit and way
// out, for an unknown flag, a missing value, a stray argument, a value out of range; FAILED_PRECONDITION if two of
// `flags` have one name.
absl::Status ReadCommandLine(const std::vector<std::string>& arguments, const std::vector<CommandLineFlag>& flags);

// One line for each flag, with its default.
std::string DescribeFlags(const std::vector<CommandLineFlag>& flags);

// INVALID_ARGUMENT with `what` and where the flags are listed.
absl::Status RefuseFlag(const std::string& what);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_COMMAND_LINE_H_
