// How many threads LibTorch computes with. No LibTorch in this header.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_THREADS_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_THREADS_H_

#include "absl/status/status.h"

namespace thinwire {

// Binds LibTorch's operators and the BLAS library under them to `threads` threads, for the whole process; with 1 the
// same work gives the same bits. May be called at any time when no tensor operation runs; MakeTorchTrainer does it.
//
// OpenBLAS has a pool of its own that LibTorch's setting does not reach, and reads its environment variable when it is
// loaded, before main: so its setter is looked up and called (MKL's and BLIS' too; other BLAS libraries of Debian have
// one thread or follow OpenMP). INVALID_ARGUMENT unless 1 <= threads <= 1024.
absl::Status ConfigureTorchThreads(int threads);

// Applies the process's setting to the calling thread: OpenMP keeps it for each thread apart.
void AdoptTorchThreads();

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_THREADS_H_
