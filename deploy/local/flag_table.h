// The flags of the launchers: a table of names and what each does with its value.
#ifndef THINWIRE_DEPLOY_LOCAL_FLAG_TABLE_H_
#define THINWIRE_DEPLOY_LOCAL_FLAG_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Takes a value; INVALID_ARGUMENT "is 'VALUE', must be ..." without the flag's name.
using FlagSetter = std::function<absl::Status(const std::string&)>;

absl::Status RefuseValue(const std::string& value, absl::string_view wanted);

// The outputs must outlive the setters.
template <typename T>
FlagSetter IntegerFlag(T* out, uint64_t low, uint64_t high) {
  return [=](const std::string& value) {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < low || number > high) {
      return RefuseValue(value, absl::StrCat("a whole number of ", low, "..", high));
    }
    *out = static_cast<T>(number);
    return absl::OkStatus();
  };
}
// At least 0 and less than `below`.
FlagSetter NumberFlag(double* out, double below);
FlagSetter TextFlag(std::string* out);  // not empty
FlagSetter ChoiceFlag(std::string* out, std::vector<std::string> choices);

struct FlagTable {
  std::map<std::string, FlagSetter> setters;  // by name without "--"; given as "--name value" or "--name=value"
  std::map<std::string, bool*> switches;      // by argument, "--json", "-h"
};

// INVALID_ARGUMENT naming the flag.
absl::Status ReadFlags(const std::vector<std::string>& arguments, const FlagTable& table);

// `status`, naming --`name`.
absl::Status InFlag(const std::string& name, const absl::Status& status);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_FLAG_TABLE_H_
