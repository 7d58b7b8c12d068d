// Sizes of the transformers for text, by name. No LibTorch.
#ifndef THINWIRE_CLIENT_TRAIN_TEXT_MODEL_OPTIONS_H_
#define THINWIRE_CLIENT_TRAIN_TEXT_MODEL_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace thinwire {

struct TextModelOptions {
  int64_t width = 64;  // a multiple of 2 * heads
  int64_t blocks = 2;
  int64_t heads = 4;
  int64_t expansion = 4;  // inner width of the feed-forward modules, in widths
  double dropout = 0.1;
  // The data's.
  int64_t symbols = 0;
  int64_t classes = 0;
  std::string table = "symbols";  // name of the embedding
  bool next_symbol = false;       // a language model: scores at each place, from there and before; else for the whole
};

// INVALID_ARGUMENT naming the first size that makes no sense, its value and what it must be.
absl::Status CheckTextModel(const TextModelOptions& options);

// Names that TextModelNamed takes, from small to large; parameters without the table of symbols and the last layer:
//   transformer-xs    0.10 million, 2 blocks of width 64
//   transformer-s     0.79 million, 4 blocks of width 128
std::vector<std::string> TextModelNames();

// INVALID_ARGUMENT if there is no such model (the message lists them).
absl::StatusOr<TextModelOptions> TextModelNamed(const std::string& name);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TEXT_MODEL_OPTIONS_H_
