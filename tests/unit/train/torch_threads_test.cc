#include "client/train/torch_threads.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>

#include <thread>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

TEST(TorchThreads, BindsLibTorchOnEveryThreadAndOpenBlas) {
  ASSERT_TRUE(ConfigureTorchThreads(1).ok());
  EXPECT_EQ(at::get_num_threads(), 1);
  std::thread([] {
    AdoptTorchThreads();
    EXPECT_EQ(at::get_num_threads(), 1);
  }).join();
  const auto blas_threads = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  if (blas_threads == nullptr) GTEST_SKIP() << "LibTorch's BLAS is not OpenBLAS (Debian: libopenblas0-pthread)";
  EXPECT_EQ(blas_threads(), 1);
  ASSERT_TRUE(ConfigureTorchThreads(2).ok());
  EXPECT_EQ(blas_threads(), 2);
}

TEST(TorchThreads, RefusesNumbersThatMakeNoSense) {
  EXPECT_EQ(ConfigureTorchThreads(0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ConfigureTorchThreads(-1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ConfigureTorchThreads(100000).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace thinwire
