// Where LibTorch's exceptions end. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_CALL_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_CALL_H_

#include <c10/core/Device.h>
#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace thinwire {

// RESOURCE_EXHAUSTED with the way out if LibTorch ran out of memory, else INTERNAL.
absl::Status FromTorch(const std::string& what, const std::string& message);

// Runs `work`, which returns a Status or StatusOr; `what` says in errors what it was doing.
template <typename Work>
auto CatchTorch(const std::string& what, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const c10::Error& error) {
    return FromTorch(what, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return FromTorch(what, "out of memory");
  } catch (const std::exception& error) {
    return FromTorch(what, error.what());
  }
}

// "cpu", "cuda" or "cuda:N". INVALID_ARGUMENT for other texts, FAILED_PRECONDITION if this LibTorch lacks the device.
absl::StatusOr<c10::Device> ParseDevice(const std::string& text);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_CALL_H_
