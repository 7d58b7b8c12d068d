// Sizes of Conformers. No LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_CONFORMER_OPTIONS_H_
#define THINWIRE_CLIENT_TRAIN_CONFORMER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace thinwire {

// Frames of features that become one frame of a Conformer: two convolutions halve their number, rounded up.
constexpr uint32_t kConformerSubsampling = 4;

struct ConformerOptions {
  int64_t features = 40;  // per frame
  int64_t labels = 29;    // CTC's blank among them
  int64_t blocks = 4;
  int64_t width = 96;
  int64_t heads = 4;            // divides width into parts of even size
  int64_t expansion = 4;        // of the feed-forward modules
  int64_t kernel = 15;          // of the depthwise convolution: frames, odd
  int64_t groups = 8;           // of GroupNorm; divides width
  int64_t front_channels = 32;  // of the two convolutions in front
  double dropout = 0.1;
  bool checkpoint = false;  // blocks keep their input only, and are computed again in the backward pass
};

// INVALID_ARGUMENT naming the first size that makes no sense, its value and what it must be.
absl::Status CheckConformer(const ConformerOptions& options);

// Names that ConformerNamed takes, from small to large; parameters with 40 features and 29 labels:
//   conformer-xs    0.91 million, 4 blocks of width 96
//   conformer-s     9.72 million, 16 blocks of width 160
//   conformer-m    29.42 million, 19 blocks of width 256
//   conformer-l   117.07 million, 19 blocks of width 512 (the paper's large model, two more blocks for its decoder)
std::vector<std::string> ConformerNames();

// INVALID_ARGUMENT if there is no such model (the message lists them).
absl::StatusOr<ConformerOptions> ConformerNamed(const std::string& name);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_CONFORMER_OPTIONS_H_
