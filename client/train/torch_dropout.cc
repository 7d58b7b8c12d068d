#include "client/train/torch_dropout.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

namespace thinwire {
namespace {

// LibTorch 1.13's clone() leaks the copy, so it serves only devices whose type is not known here.
at::Generator NewGenerator(const at::Device& device) {
  if (device.is_cpu()) return at::make_generator<at::CPUGeneratorImpl>();
  return at::globalContext().defaultGenerator(device).clone();
}

}  // namespace

void ModelRandom::Seed(uint64_t seed, const at::Device& device) {
  if (!generator_.defined() || generator_.device() != device) generator_ = NewGenerator(device);
  generator_.set_current_seed(seed);
}

at::Tensor Dropout::operator()(const at::Tensor& x, ModelRandom& random, bool training) const {
  if (!training || keep_ == 1) return x;
  return x * at::empty_like(x).bernoulli_(keep_, random.generator()).div_(keep_);
}

}  // namespace thinwire
