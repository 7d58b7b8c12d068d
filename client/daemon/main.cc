// thinwire-client: one participant of a federation. See --help.
//
// This program is small and holds no LibTorch, whose libraries take half a second and 150 MB to load: clients that echo
// should pay for neither. For every other task it becomes thinwire-client-torch, which lies beside it,
// by exec: same process, same arguments.
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/daemon/client_program.h"
#include "client/daemon/torch_tasks.h"

namespace {

absl::StatusOr<std::unique_ptr<thinwire::Trainer>> BecomeTorchClient(char** argv, const std::string& task,
                                                                     uint64_t threads) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string other = (self.parent_path() / "thinwire-client-torch").string();
  // OpenBLAS reads these when it is loaded, and starts a thread for each core without them.
  for (const char* name : {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}) {
    setenv(name, absl::StrCat(threads).c_str(), /*overwrite=*/0);
  }
  execv(other.c_str(), argv);
  return absl::FailedPreconditionError(
      absl::StrCat("--task ", task, " needs ", other,
                   ", which cannot be started; build it (THINWIRE_WITH_TORCH=ON) or use --task echo"));
}

}  // namespace

int main(int argc, char** argv) {
  const auto become = [argv](const thinwire::ClientFlags& client, const thinwire::TorchTaskFlags& flags) {
    return BecomeTorchClient(argv, client.task, flags.threads);
  };
  thinwire::ClientProgram program;
  program.tasks = {thinwire::ClassifyTask(become), thinwire::SpeechTask(become), thinwire::TextTask(become)};
  return thinwire::RunClientProgram(std::vector<std::string>(argv + 1, argv + argc), std::move(program));
}
