// What all trainers of LibTorch models can be told. No LibTorch in this header.
#ifndef THINWIRE_CLIENT_TRAIN_TRAINER_OPTIONS_H_
#define THINWIRE_CLIENT_TRAIN_TRAINER_OPTIONS_H_

#include <cstdint>
#include <string>

#include "client/train/packed_matrix.h"

namespace thinwire {

struct TrainerOptions {
  std::string model;           // a name
  std::string device = "cpu";  // "cpu", "cuda" or "cuda:N"
  // Packed: matrices are held in the small floats that the plan's downlink codes them in, and expanded one at a time;
  // models come and go through Trainer::streaming(). On the CPU, with SGD.
  WeightsRule weights;
  int threads = 1;  // for the whole process; with more than 1 results may differ from run to run
  uint32_t evaluation_batch = 1;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_TRAINER_OPTIONS_H_
