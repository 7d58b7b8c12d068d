// The seam between a session and what learns. No gRPC, no LibTorch: models reach it as plain floats.
#ifndef THINWIRE_CLIENT_SESSION_TRAINER_H_
#define THINWIRE_CLIENT_SESSION_TRAINER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/codec/codec_spec.h"
#include "common/codec/row_blocks.h"
#include "common/subspace/fastfood.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// What to do with an assignment; mirrors thinwire.v1.TrainingConfig, where the fields are explained.
struct TrainingOptions {
  uint32_t local_epochs = 1;  // used unless local_steps > 0
  uint32_t local_steps = 0;
  uint32_t batch_size = 32;
  double learning_rate = 0.05;
  enum class Optimizer { kSgd, kAdam } optimizer = Optimizer::kSgd;
  double momentum = 0;
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool decoupled = false;   // AdamW
  bool keep_state = false;  // keep Adam's moments between rounds
  double proximal_mu = 0;   // FedProx
};

// How a model's weights came, and so how a StreamingTrainer may hold them without loss.
struct HeldWeights {
  CodecSpec codec;                           // the plan's downlink
  std::shared_ptr<const RowBlockSet> exact;  // row blocks that partial quantisation left in FP32; nullptr if none
};

// Training of coordinates, in place of weights (docs/igc.md): the model is what `start` gives plus the sum over k of
// A_k Sigma_k, and steps go along one of the Sigma_k.
struct SubspaceSteps {
  const std::vector<Fastfood>* matrices = nullptr;               // A_k, of the model's trainable values
  const std::vector<std::vector<float>>* coordinates = nullptr;  // Sigma_k, to start from
  uint32_t own = 0;                                              // the one that is trained
  std::vector<float> trained;                                    // what Train leaves of it
};

struct TrainRequest {
  TrainingOptions options;
  uint32_t round = 0;
  uint64_t seed = 0;  // of this client in this round; the same seed and model give the same result
  HeldWeights held;
  SubspaceSteps* subspace = nullptr;  // not null: train so, in a trainer that subspace() gives
  // Called now and then with a line such as "step 30 of 188"; may be empty.
  std::function<void(const std::string&)> progress;
  // Polled between steps; true means stop early with CANCELLED. May be empty.
  std::function<bool()> cancelled;
};

struct TrainResult {
  uint64_t examples = 0;  // samples trained on, counted once per local data set, not per epoch: the update's weight
  double loss = 0;        // mean over the steps
};

struct EvaluateResult {
  uint64_t examples = 0;
  double loss = 0;
  double accuracy = 0;  // 0..1
};

// A trainer that takes and gives models block by block and holds their weights in a form of its own, so that no copy in
// full precision need ever be in memory. Called from one thread at a time. Blocks are those of kBlockValues values.
class StreamingTrainer {
 public:
  virtual ~StreamingTrainer() = default;
  // Trains what `start` gives. Errors of `start` are returned as they are.
  virtual absl::StatusOr<TrainResult> Train(const TrainRequest& request, BlockSource& start) = 0;
  // What the last Train that went well has left, until the next call.
  virtual BlockSource& trained() = 0;
  // The values of Trainer::Initialize for the same seed, of the trainer's own model(), until the next call.
  virtual BlockSource& Fresh(uint64_t seed) = 0;
  virtual absl::StatusOr<EvaluateResult> Evaluate(BlockSource& model, const HeldWeights& held) = 0;
};

// Called from one thread at a time.
class Trainer {
 public:
  virtual ~Trainer() = default;
  // The model it can train; an empty spec if it takes any model (echo).
  virtual const ModelSpec& model() const = 0;
  // Size of the local data set.
  virtual uint64_t examples() const = 0;
  // Fresh weights from a seed. The same seed gives the same weights on machines with the same LibTorch.
  virtual absl::StatusOr<ModelState> Initialize(uint64_t seed) = 0;
  // Trains `state` in place. On error `state` is unspecified.
  virtual absl::StatusOr<TrainResult> Train(const TrainRequest& request, ModelState* state) = 0;
  virtual absl::StatusOr<EvaluateResult> Evaluate(const ModelState& state) = 0;
  // If not null, a session calls this one's functions, not the three above. Lives as long as the trainer.
  virtual StreamingTrainer* streaming() { return nullptr; }
  // If not null, its Train takes requests in a subspace; trained() has the model's buffers then. Any values of one
  // tensor can be read from the start at a time.
  virtual StreamingTrainer* subspace() { return nullptr; }
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_TRAINER_H_
