#include "client/daemon/command_line.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Status SetValue(const CommandLineFlag& flag, const std::string& text) {
  if (auto* const* target = std::get_if<std::string*>(&flag.target)) {
    **target = text;
    return absl::OkStatus();
  }
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < flag.min || number > flag.max) {
    return RefuseFlag(
        absl::StrCat(flag.name, " is '", text, "', must be a whole number from ", flag.min, " to ", flag.max));
  }
  *std::get<uint64_t*>(flag.target) = number;
  return absl::OkStatus();
}

// Takes the flag at `*index`, and its value if it has one.
absl::Status TakeFlag(const std::vector<std::string>& arguments, const std::vector<CommandLineFlag>& flags,
                      size_t* index) {
  const std::string& argument = arguments[*index];
  const size_t equals = argument.find('=');
  const std::string name = argument.substr(0, equals);
  const auto flag = std::find_if(flags.begin(), flags.end(), [&](const auto& each) { return name == each.name; });
  if (flag == flags.end()) return RefuseFlag(absl::StrCat("unknown flag '", argument, "'"));
  const bool inline_value = equals != std::string::npos;
  if (auto* const* target = std::get_if<bool*>(&flag->target)) {
    if (inline_value) return RefuseFlag(absl::StrCat(name, " takes no value"));
    **target = true;
    return absl::OkStatus();
  }
  if (!inline_value && *index + 1 >= arguments.size()) {
    return RefuseFlag(absl::StrCat(name, " needs a value, ", flag->value));
  }
  return SetValue(*flag, inline_value ? argument.substr(equals + 1) : arguments[++*index]);
}

std::string DefaultOf(const CommandLineFlag& flag) {
  if (auto* const* text = std::get_if<std::string*>(&flag.target)) return **text;
  if (auto* const* number = std::get_if<uint64_t*>(&flag.target)) return absl::StrCat(**number);
  return "";
}

}  // namespace

absl::Status RefuseFlag(const std::string& what) {
  return absl::InvalidArgumentError(what + "; --help lists the flags");
}

absl::Status ReadCommandLine(const std::vector<std::string>& arguments, const std::vector<CommandLineFlag>& flags) {
  std::set<std::string> names;
  for (const CommandLineFlag& flag : flags) {
    if (names.insert(flag.name).second) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("this program declares the flag ", flag.name, " twice; its tasks need other names"));
  }
  for (size_t i = 0; i < arguments.size(); ++i) TW_RETURN_IF_ERROR(TakeFlag(arguments, flags, &i));
  return absl::OkStatus();
}

std::string DescribeFlags(const std::vector<CommandLineFlag>& flags) {
  constexpr size_t kColumn = 26;
  std::string text;
  for (const CommandLineFlag& flag : flags) {
    const std::string name = absl::StrCat("  ", flag.name, flag.value.empty() ? "" : " ", flag.value);
    const std::string fallback = DefaultOf(flag);
    absl::StrAppend(&text, name, std::string(name.size() < kColumn ? kColumn - name.size() : 1, ' '), flag.help,
                    fallback.empty() ? "" : absl::StrCat(" (default ", fallback, ")"), "\n");
  }
  return text;
}

}  // namespace thinwire
