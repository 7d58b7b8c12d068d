// Dropout from a model's own random numbers. Includes LibTorch: only for files of this room.
#ifndef THINWIRE_CLIENT_TRAIN_TORCH_DROPOUT_H_
#define THINWIRE_CLIENT_TRAIN_TORCH_DROPOUT_H_

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace thinwire {

// A generator that belongs to one model, so that trainers in one process do not disturb each other. Not thread-safe.
class ModelRandom {
 public:
  // Starts anew, on `device`.
  void Seed(uint64_t seed, const at::Device& device);
  at::Generator& generator() { return generator_; }

 private:
  at::Generator generator_;
};

// Sets each value to zero with probability `share` while training and scales the rest up. `random` must be seeded then.
class Dropout {
 public:
  explicit Dropout(double share) : keep_(1 - share) {}
  at::Tensor operator()(const at::Tensor& x, ModelRandom& random, bool training) const;

 private:
  double keep_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TORCH_DROPOUT_H_
