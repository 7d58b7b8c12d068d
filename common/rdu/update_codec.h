// The rate-distortion-optimised update codec: tensors of floats in, at most so many bits out, and back with the least
// squared error that is known how to reach. docs/rdu.md specifies the bytes.
//
// Lossy parts: a common quantiser step for all tensors, and for each tensor a product of two thin factors whose rank is
// chosen by cost, so that every bit saves about the same squared error wherever it is spent ("one common slope").
// Lossless parts: context mixing and a range coder. A stream cut after any byte decodes, the rest as zeros.
//
// Thread-safe: pure functions. The same input gives the same bytes on every machine.
#ifndef THINWIRE_COMMON_RDU_UPDATE_CODEC_H_
#define THINWIRE_COMMON_RDU_UPDATE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace thinwire {

// One tensor of an update, in row-major order. The memory is the caller's.
struct UpdateTensor {
  absl::Span<const float> values;
  absl::Span<const uint64_t> dimensions;  // none: a scalar; their product is values.size()
};

// The order in which tensors of these sizes stand in an update: ascending, equal ones as they come. What a cut takes is
// then the rest of the largest tensor, where bits matter least.
std::vector<size_t> CodingOrder(absl::Span<const uint64_t> sizes);

// Fewest bits, or least time: for servers that decode thousands of updates. Which one it was is in the bytes.
//   kBest: all of the above. kFast: no low rank, static frequencies instead of contexts; time follows what is sent.
enum class UpdateProfile { kBest, kFast };

struct UpdateOptions {
  UpdateProfile profile = UpdateProfile::kBest;
  // M of the distortion |x|^M (x - y)^2 that bits are to lower, 0 to 16, in eighths: the larger, the more of the bits
  // goes to large values (companding.h). Between 0 and 2 the update is also coded as with 0, and the better one by that
  // distortion is kept, which takes twice the time. kBest only.
  double weight_exponent = 0;
};

// What an encoder did.
struct UpdateReport {
  double step = 0;           // 0: nothing was sent; of companded values if M > 0
  std::vector<size_t> rank;  // of each tensor's low-rank part; none if fast
  int trials = 0;            // how often the update was coded; if fast, how many steps were looked at
  // Whether the finest step there is was reached, so that a larger budget would have changed nothing.
  bool finest = false;
};

// The best update of at most `budget_bits`, in bytes: budget_bits / 8, rounded down, is never passed, and missed by no
// more than 0.5 % or 32 bytes unless report.finest. An update of no bytes stands for zeros, and is what a budget below
// the smallest stream (4 bytes, 6 with M > 0) or tensors of zeros give. Fast needs some 30 to 120 bytes for its tables,
// more beyond 16,000 values: a budget below that it misses by more, or sends nothing. kBest codes the update at most
// kMaxTrials times.
//
// INVALID_ARGUMENT, naming tensor and value, for NaN and infinities, dimensions that do not match their values, more
// than kMaxUpdateTensors or kMaxUpdateValues, or an exponent that is out of range or not of the profile. `report` may
// be nullptr. Memory: the factors, 8 bytes x rank x (rows + columns) of each tensor; with M > 0 also 4 bytes a value.
absl::StatusOr<std::string> EncodeUpdate(absl::Span<const UpdateTensor> tensors, uint64_t budget_bits,
                                         UpdateReport* report, const UpdateOptions& options = {});
constexpr int kMaxTrials = 8;
constexpr size_t kMaxUpdateTensors = 100000;
constexpr uint64_t kMaxUpdateValues = uint64_t{1} << 32;

// The same at a given step, however many bits that takes: for experiments. Steps have 9 significant bits; `step` is
// rounded down to one, and up to the finest that the values allow. Ranks are sought up to `max_rank`.
absl::StatusOr<std::string> EncodeUpdateAtStep(absl::Span<const UpdateTensor> tensors, double step, size_t max_rank,
                                               UpdateReport* report);

// Decodes an update tensor by tensor, in CodingOrder, holding one at a time. Not thread-safe.
class UpdateDecoder {
 public:
  // `bytes` must outlive the decoder. INVALID_ARGUMENT for a malformed header, UNIMPLEMENTED for an unknown version.
  static absl::StatusOr<UpdateDecoder> Create(absl::string_view bytes);
  UpdateDecoder(UpdateDecoder&&) noexcept;
  UpdateDecoder& operator=(UpdateDecoder&&) noexcept;
  ~UpdateDecoder();

  // The next tensor, of those dimensions; all values are written and finite. INVALID_ARGUMENT if out.size() is not the
  // product of the dimensions; the bytes cannot fail, they can only say something else. Time is at most that of
  // out.size() values; memory the factors, at most twice that of
  // `out`, 32 bytes a column (a vector is one row) and 113 KB for each kind of plane met, 450 KB at most.
  absl::Status Next(absl::Span<const uint64_t> dimensions, absl::Span<float> out);
  // After the last tensor: INVALID_ARGUMENT if there are bytes that none of them needed.
  absl::Status Finish() const;

 private:
  struct State;
  explicit UpdateDecoder(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_UPDATE_CODEC_H_
