// Small data sets and short cuts for tests of the LibTorch trainer. No LibTorch in this header.
#ifndef THINWIRE_TESTS_UNIT_TRAIN_TORCH_TESTING_H_
#define THINWIRE_TESTS_UNIT_TRAIN_TORCH_TESTING_H_

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "client/train/torch_trainer.h"
#include "common/base/rng.h"
#include "gtest/gtest.h"

namespace thinwire {

// `size` images of noise, each brighter in the rows that belong to its label: easy to learn.
inline Dataset StripedImages(size_t size, ImageShape shape, uint32_t classes, uint64_t seed = 1) {
  Dataset data;
  data.shape = shape;
  data.classes = classes;
  RandomStream random(seed);
  for (size_t i = 0; i < size; ++i) {
    data.labels.push_back(static_cast<uint8_t>(i % classes));
    for (size_t at = 0; at < shape.values(); ++at) {
      const size_t row = at / shape.width % shape.height;
      const bool bright = row * classes / shape.height == i % classes;
      data.images.push_back(static_cast<uint8_t>(random.Below(100) + (bright ? 100 : 0)));
    }
  }
  return data;
}

inline std::unique_ptr<ImageTrainer> MakeTrainer(const std::string& model, Dataset train, Dataset test = {}) {
  TorchTrainerOptions options;
  options.model = model;
  auto trainer = MakeTorchTrainer(options, std::move(train), std::move(test));
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  return trainer.ok() ? std::move(*trainer) : nullptr;
}

inline TrainRequest Request(double rate, uint32_t steps, uint64_t seed = 1) {
  TrainRequest request;
  request.options.learning_rate = rate;
  request.options.local_steps = steps;
  request.seed = seed;
  return request;
}

// L2 distance over float tensors.
inline double Distance(const ModelState& a, const ModelState& b) {
  double squares = 0;
  for (size_t t = 0; t < a.floats.size(); ++t) {
    for (size_t i = 0; i < a.floats[t].size(); ++i) {
      const double difference = double{a.floats[t][i]} - b.floats[t][i];
      squares += difference * difference;
    }
  }
  return std::sqrt(squares);
}

inline bool SameBits(const ModelState& a, const ModelState& b) {
  if (a.spec != b.spec || a.ints != b.ints) return false;
  for (size_t i = 0; i < a.floats.size(); ++i) {
    if (a.floats[i].empty()) continue;
    if (std::memcmp(a.floats[i].data(), b.floats[i].data(), a.floats[i].size() * sizeof(float)) != 0) return false;
  }
  return true;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_TRAIN_TORCH_TESTING_H_
