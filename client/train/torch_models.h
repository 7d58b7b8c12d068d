// Image classifiers as LibTorch modules. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_MODELS_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_MODELS_H_

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/train/dataset.h"
#include "client/train/matrix_keeper.h"

namespace thinwire {

// What a model is built for.
struct ModelInput {
  ImageShape shape;
  uint32_t classes = 0;
};

class ImageModel : public torch::nn::Module {
 public:
  // [n, channels, height, width] -> [n, classes] logits.
  virtual at::Tensor Forward(const at::Tensor& images) = 0;
  // Fewest samples in a training batch: 2 where a layer takes statistics over the batch alone.
  virtual size_t min_batch() const { return 1; }
  // Restarts the model's own random numbers (dropout). They are not LibTorch's global ones, so that trainers in one
  // process do not disturb each other.
  virtual void Seed(uint64_t /*seed*/) {}
};

// Adding an architecture: a class derived from ImageModel and a row in the table of torch_models.cc.
// `keeper` holds its matrices. INVALID_ARGUMENT if there is no such model (the message lists them) or the images are
// too small for it.
absl::StatusOr<std::shared_ptr<ImageModel>> MakeImageModel(const std::string& name, const ModelInput& input,
                                                           const std::shared_ptr<MatrixKeeper>& keeper);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_MODELS_H_
