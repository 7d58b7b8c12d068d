#include "client/train/torch_threads.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

constexpr int kMaxThreads = 1024;

// Calls `setter(threads)` if some library of the process has a function of that name.
template <typename Count>
void CallIfPresent(const char* setter, Count threads) {
  const auto function = reinterpret_cast<void (*)(Count)>(dlsym(RTLD_DEFAULT, setter));
  if (function != nullptr) function(threads);
}

}  // namespace

absl::Status ConfigureTorchThreads(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat(threads, " threads for LibTorch; 1 to ", kMaxThreads, " are allowed"));
  }
  at::set_num_threads(threads);
  CallIfPresent<int>("openblas_set_num_threads", threads);
  CallIfPresent<int>("MKL_Set_Num_Threads", threads);
  CallIfPresent<int64_t>("bli_thread_set_num_threads", threads);
  return absl::OkStatus();
}

void AdoptTorchThreads() { at::init_num_threads(); }

}  // namespace thinwire
