#include "deploy/local/flag_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

// Takes the flag at `*index`, and its value.
absl::Status TakeFlag(const std::vector<std::string>& arguments, const FlagTable& table, size_t* index) {
  const std::string& argument = arguments[*index];
  const size_t equals = argument.find('=');
  absl::string_view name = absl::string_view(argument).substr(0, equals);
  const auto setter = absl::ConsumePrefix(&name, "--") ? table.setters.find(std::string(name)) : table.setters.end();
  if (setter == table.setters.end()) {
    return absl::InvalidArgumentError(absl::StrCat("unknown flag '", argument, "': --help lists them"));
  }
  if (equals == std::string::npos && *index + 1 == arguments.size()) {
    return absl::InvalidArgumentError(absl::StrCat(argument, " needs a value"));
  }
  const std::string value = equals == std::string::npos ? arguments[++*index] : argument.substr(equals + 1);
  return InFlag(setter->first, setter->second(value));
}

}  // namespace

absl::Status RefuseValue(const std::string& value, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("is '", value, "', must be ", wanted));
}

FlagSetter NumberFlag(double* out, double below) {
  return [=](const std::string& value) {
    double number = 0;
    if (!absl::SimpleAtod(value, &number) || !(number >= 0) || !(number < below)) {
      return RefuseValue(value, absl::StrCat("a number, at least 0 and less than ", below));
    }
    *out = number;
    return absl::OkStatus();
  };
}

FlagSetter TextFlag(std::string* out) {
  return [out](const std::string& value) {
    if (value.empty()) return RefuseValue(value, "not empty");
    *out = value;
    return absl::OkStatus();
  };
}

FlagSetter ChoiceFlag(std::string* out, std::vector<std::string> choices) {
  return [out, choices = std::move(choices)](const std::string& value) {
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      return RefuseValue(value, "one of " + absl::StrJoin(choices, ", "));
    }
    *out = value;
    return absl::OkStatus();
  };
}

absl::Status ReadFlags(const std::vector<std::string>& arguments, const FlagTable& table) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto found = table.switches.find(arguments[i]);
    if (found != table.switches.end()) {
      *found->second = true;
    } else {
      TW_RETURN_IF_ERROR(TakeFlag(arguments, table, &i));
    }
  }
  return absl::OkStatus();
}

absl::Status InFlag(const std::string& name, const absl::Status& status) {
  return status.ok() ? status : absl::InvalidArgumentError(absl::StrCat("--", name, " ", status.message()));
}

}  // namespace thinwire
