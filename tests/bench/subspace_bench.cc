// Speed of the subspace kernels on one thread, each as a ratio to something timed beside it in the same iteration.
// Medians, in processor time of the thread.
//
//   subspace_bench [--full] [--repeats N] [--filter TEXT]
//
// Transforms: GB/s of FP32 values (4 bytes each, once), of memcpy of the same size, and their ratio, for every
// instruction set of this processor. Fastfood: the time of A x and of A^T g in transforms of the padded size, the
// source and the sink of values included, and as a ratio to memcpy. --full adds D = 100,000,000, which takes 1.4 GB and
// minutes.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/zeroed_memory.h"
#include "common/subspace/fastfood.h"
#include "common/subspace/walsh_hadamard.h"

// As in common/subspace/kernels/*.cc.
#define HWY_WANT_SSE4 1
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#include "hwy/targets.h"

namespace thinwire {
namespace {

struct Options {
  bool full = false;
  int repeats = 11;
  std::string filter;
};

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "subspace_bench: %s\n", status.ToString().c_str());
  std::exit(1);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Die(status);
}

// Touched, in huge pages where the system has them, so that no page fault is timed.
class Buffer {
 public:
  explicit Buffer(size_t count) : memory_(count * sizeof(float)), count_(count) {
    if (!memory_.ok()) Die(absl::ResourceExhaustedError(absl::StrCat("no memory for ", count, " values")));
    uint32_t state = 1;
    for (size_t i = 0; i < count; ++i) {
      state = state * 1664525u + 1013904223u;
      data()[i] = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    }
  }
  float* data() const { return static_cast<float*>(memory_.data()); }
  absl::Span<float> span() const { return {data(), count_}; }

 private:
  ZeroedMemory memory_;
  size_t count_;
};

using Operation = std::function<void()>;

// The median seconds of each operation; they take turns, so that all see the same state of the machine.
std::vector<double> Time(const std::vector<Operation>& operations, int repeats, size_t inner) {
  std::vector<std::vector<double>> seconds(operations.size());
  for (int repeat = 0; repeat <= repeats; ++repeat) {
    for (size_t i = 0; i < operations.size(); ++i) {
      const double start = ThreadSeconds();
      for (size_t k = 0; k < inner; ++k) operations[i]();
      if (repeat > 0) seconds[i].push_back((ThreadSeconds() - start) / static_cast<double>(inner));
    }
  }
  std::vector<double> medians;
  for (const std::vector<double>& s : seconds) medians.push_back(Median(s));
  return medians;
}

void UseTarget(int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

void CopyOf(const Buffer& from, const Buffer& to, size_t count) {
  std::memcpy(to.data(), from.data(), count * sizeof(float));
  asm volatile("" ::: "memory");
}

void TransformRow(const Options& options, int64_t target, int levels) {
  const std::string name = absl::StrCat("transform 2^", levels, " ", hwy::TargetName(target));
  if (!absl::StrContains(name, options.filter)) return;
  const size_t size = size_t{1} << levels, inner = std::max<size_t>(1, (size_t{1} << 22) / size);
  const Buffer source(size), copy(size), values(size);
  std::memset(values.data(), 0, size * sizeof(float));  // zeros neither grow nor become subnormal
  UseTarget(target);
  const std::vector<double> seconds =
      Time({[&] { CopyOf(source, copy, size); }, [&] { Check(WalshHadamard(values.span())); }}, options.repeats, inner);
  UseTarget(0);
  const double gigabytes = 4e-9 * static_cast<double>(size);
  std::printf("%-28s %8.1f GB/s  memcpy %6.1f GB/s  ratio %.3f\n", name.c_str(), gigabytes / seconds[1],
              gigabytes / seconds[0], seconds[0] / seconds[1]);
  std::fflush(stdout);
}

void FastfoodRow(const Options& options, uint64_t dense, uint64_t subspace, uint64_t block, FastfoodDiagonal diagonal) {
  const std::string name = absl::StrCat(diagonal == FastfoodDiagonal::kSigns ? "signs " : "normal", " D ", dense, " d ",
                                        subspace, block == 0 ? "" : absl::StrCat(" b ", block));
  if (!absl::StrContains(name, options.filter)) return;
  auto fastfood = Fastfood::Create({1, dense, subspace, block, diagonal});
  Check(fastfood.status());
  auto workspace = FastfoodWorkspace::Create(*fastfood);
  Check(workspace.status());
  size_t padded = 64;
  while (padded < dense) padded *= 2;
  const Buffer gradient(padded), values(padded), x(subspace);
  std::memset(values.data(), 0, padded * sizeof(float));
  uint64_t seen = 0;
  const std::vector<double> seconds =
      Time({[&] { CopyOf(gradient, values, dense); }, [&] { Check(WalshHadamard(values.span())); },
            [&] {
              Check(fastfood->Apply(x.span(), &*workspace, [&](uint64_t, absl::Span<const float> y) {
                seen += y.size();
                return absl::OkStatus();
              }));
            },
            [&] {
              Check(fastfood->ApplyTranspose(
                  [&](uint64_t first, absl::Span<float> out) {
                    std::memcpy(out.data(), gradient.data() + first, out.size() * sizeof(float));
                    return absl::OkStatus();
                  },
                  &*workspace, x.span()));
            }},
           dense > 50'000'000 ? std::min(options.repeats, 5) : options.repeats, 1);
  std::printf("%-38s transform %8.2f ms  A x %8.2f ms = %.2f  A^T g %8.2f ms = %.2f  of memcpy %.3f %.3f\n",
              name.c_str(), 1e3 * seconds[1], 1e3 * seconds[2], seconds[2] / seconds[1], 1e3 * seconds[3],
              seconds[3] / seconds[1], seconds[0] / seconds[2], seconds[0] / seconds[3]);
  std::fflush(stdout);
}

void RunAll(const Options& options) {
  for (const int levels : {10, 12, 14, 16, 18, 20, 22, 24, 26}) {
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) TransformRow(options, target, levels);
  }
  for (const FastfoodDiagonal diagonal : {FastfoodDiagonal::kSigns, FastfoodDiagonal::kNormal}) {
    FastfoodRow(options, 6'568'640, 4000, 0, diagonal);
    FastfoodRow(options, 6'568'640, 4000, 65'536, diagonal);
    FastfoodRow(options, 16'777'216, 4096, 0, diagonal);
    FastfoodRow(options, 16'777'216, 262'144, 0, diagonal);
    if (!options.full) continue;
    FastfoodRow(options, 100'000'000, 4000, 0, diagonal);
    FastfoodRow(options, 100'000'000, 262'144, 0, diagonal);
    FastfoodRow(options, 100'000'000, 4000, 65'536, diagonal);
  }
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  thinwire::Options options;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view flag = argv[i];
    if (flag == "--full") {
      options.full = true;
    } else if (flag == "--repeats" && i + 1 < argc && absl::SimpleAtoi(argv[i + 1], &options.repeats) &&
               options.repeats > 0) {
      ++i;
    } else if (flag == "--filter" && i + 1 < argc) {
      options.filter = argv[++i];
    } else {
      std::fprintf(stderr, "usage: subspace_bench [--full] [--repeats N] [--filter TEXT]\n");
      return 2;
    }
  }
  thinwire::RunAll(options);
  return 0;
}
