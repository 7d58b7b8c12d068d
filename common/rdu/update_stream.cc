#include "common/rdu/update_stream.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace thinwire {

absl::StatusOr<UpdateHeader> ReadUpdateHeader(absl::string_view bytes) {
  if (bytes.size() <= kUpdateHeaderSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("an update of ", bytes.size(), " bytes: it has none, or more than ", kUpdateHeaderSize));
  }
  const auto version = static_cast<uint8_t>(bytes[0]);
  if (version != kBestVersion && version != kFastVersion && version != kCompandedVersion) {
    return absl::UnimplementedError(
        absl::StrCat("an update of version ", static_cast<int>(version), "; this program knows 1 to 3"));
  }
  const auto code = LoadLittle<StepCode>(bytes.data() + 1);
  if (code < kFinestStep || code > kCoarsestStep) {
    return absl::InvalidArgumentError(
        absl::StrCat("the step of an update is coded ", code, "; there are ", kFinestStep, " to ", kCoarsestStep));
  }
  return UpdateHeader{version, StepOf(code)};
}

void AppendUpdateHeader(uint8_t version, StepCode step, std::string* out) {
  out->push_back(static_cast<char>(version));
  AppendLittle(step, out);
}

}  // namespace thinwire
