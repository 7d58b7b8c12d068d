#include "client/train/torch_call.h"

#include <ATen/Context.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace thinwire {

absl::Status FromTorch(const std::string& what, const std::string& message) {
  const std::string text = absl::StrCat(what, ": ", message);
  if (absl::StrContains(message, "can't allocate memory") || absl::StrContains(message, "out of memory")) {
    return absl::ResourceExhaustedError(absl::StrCat(text, "; use a smaller batch or model"));
  }
  return absl::InternalError(text);
}

absl::StatusOr<c10::Device> ParseDevice(const std::string& text) {
  if (text == "cpu") return c10::Device(c10::kCPU);
  if (text != "cuda" && !absl::StartsWith(text, "cuda:")) {
    return absl::InvalidArgumentError(absl::StrCat("device '", text, "': use cpu, cuda or cuda:N"));
  }
  if (!at::hasCUDA()) {
    return absl::FailedPreconditionError(
        absl::StrCat("device '", text, "': this LibTorch was built without CUDA or finds no GPU; use cpu, or build ",
                     "against a LibTorch with CUDA (-DCMAKE_PREFIX_PATH=/path/to/libtorch)"));
  }
  return CatchTorch("device", [&]() -> absl::StatusOr<c10::Device> { return c10::Device(text); });
}

}  // namespace thinwire
