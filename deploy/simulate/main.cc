// thinwire-simulate: a federation of virtual clients in one process. usage.txt is its manual.
//
// This program holds no LibTorch, which takes half a second and 150 MB to load. For other tasks than echo it becomes
// thinwire-simulate-torch, which lies beside it, by exec: same process, same arguments.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "deploy/simulate/program.h"

namespace {

absl::StatusOr<std::unique_ptr<thinwire::SimulationTask>> BecomeTorchProgram(char** argv) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string other = (self.parent_path() / "thinwire-simulate-torch").string();
  // OpenBLAS reads these when it is loaded: the workers are the parallelism.
  for (const char* name : {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}) setenv(name, "1", /*overwrite=*/1);
  execv(other.c_str(), argv);
  return absl::FailedPreconditionError(
      absl::StrCat("tasks other than echo need ", other,
                   ", which cannot be started; build it (THINWIRE_WITH_TORCH=ON) or use --task echo"));
}

}  // namespace

int main(int argc, char** argv) {
  return thinwire::RunSimulationProgram(
      std::vector<std::string>(argv + 1, argv + argc),
      [argv](const thinwire::SimulationOptions&) { return BecomeTorchProgram(argv); });
}
