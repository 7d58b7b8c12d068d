// A model whose matrices are held as small floats, expanded while one operation uses them, and changed as soon as their
// gradient is known: online model compression in the client's memory (Yang et al. 2022, section 2). Includes LibTorch:
// only for files of this room.
//
// In the forward pass an operation expands its matrix into memory that all operations share and drops it again. In the
// backward pass it expands it once more for the gradient of its input, then computes the matrix's own gradient, takes
// the step of stochastic gradient descent on what is expanded, and packs the result. So at any time at most one matrix
// and one gradient exist in full precision, whatever the size of the model; with momentum or FedProx, for the length of
// a step, that matrix's momentum or anchor too; and a matrix that is used several times keeps the sum of its gradients
// until its last use. The operations on the expanded values are those of LibTorch's autograd and of its SGD: at S1E8M23
// the weights are the same, bit for bit.
#ifndef THINWIRE_CLIENT_TRAIN_PACKED_MATRICES_H_
#define THINWIRE_CLIENT_TRAIN_PACKED_MATRICES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "client/session/trainer.h"
#include "client/train/matrix_keeper.h"
#include "client/train/packed_matrix.h"

namespace thinwire {

// One thread at a time, that of LibTorch's backward pass included: with LibTorch on one device that is the caller's.
class PackedMatrices : public MatrixKeeper {
 public:
  // `format` is valid.
  explicit PackedMatrices(const PackedFormat& format = {});
  ~PackedMatrices() override;

  at::Tensor NewMatrix(at::IntArrayRef shape) override;
  at::Tensor Linear(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias) override;
  at::Tensor Convolution(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias,
                         const ConvolutionShape& shape) override;
  at::Tensor Embedding(const at::Tensor& indices, const at::Tensor& matrix) override;

  // Whether a module's parameter is one of these.
  bool Holds(const at::Tensor& parameter) const;
  // In the order of NewMatrix.
  size_t size() const { return matrices_.size(); }
  size_t IndexOf(const at::Tensor& parameter) const;
  // To be changed before the next call of anything else: what is expanded of it is forgotten.
  PackedMatrix& matrix(size_t index);
  const PackedMatrix& matrix(size_t index) const;
  // Holds all matrices in this format from here on, the blocks that `exact` says for the matrix of an index in FP32
  // (PackedMatrix). All values become zero. INVALID_ARGUMENT for a format that makes no sense.
  absl::Status Hold(const PackedFormat& format, const std::function<std::vector<bool>(size_t index)>& exact);
  // Bytes that all matrices hold, momentum and anchors included; what is expanded is not.
  size_t memory() const;
  // Values unpacked and packed in forward passes, backward passes and steps so far, those of momentum and anchors too:
  // what packed training costs beside its arithmetic.
  struct Coded {
    uint64_t expanded = 0, packed = 0;
  };
  const Coded& coded() const { return coded_; }

  // What steps do from here on; forgets momentum. UNIMPLEMENTED, naming the option, for what this memory does not
  // allow: Adam (two moments that small floats do not carry). The anchors of FedProx are the values of this moment.
  absl::Status BeginRound(const TrainingOptions& options, uint64_t seed);
  // Between BeginStep and EndStep lie one forward and one backward pass. A matrix that is used several times changes at
  // its last use in the backward pass, so all gradients see the weights before the step. EndStep: INVALID_ARGUMENT if a
  // weight has become NaN or infinite; FAILED_PRECONDITION if a use in the forward pass had none in the backward pass.
  void BeginStep(uint64_t step);
  absl::Status EndStep();

  void SetRecomputing(bool recomputing) override { recomputing_ = recomputing; }

  // For the operations. Expand gives the values in memory that the next Expand overwrites; they are not to be changed.
  // If they are there already, as in the step after the gradient of an input, nothing is unpacked.
  at::Tensor Expand(size_t index);
  void CountUse(size_t index);
  // The gradient is the keeper's to change.
  void TakeGradient(size_t index, at::Tensor gradient);
  // A number that needs a gradient: an operation that is given it is called back by autograd though nothing else that
  // it is given needs one.
  const at::Tensor& spark() const { return spark_; }

 private:
  struct Held;
  absl::Status Step(size_t index, at::Tensor gradient);
  at::Tensor Expanded(const PackedMatrix& matrix, at::IntArrayRef shape);
  absl::Status Pack(const at::Tensor& values, const char* what, size_t index, PackedMatrix* matrix);

  PackedFormat format_;
  std::vector<std::unique_ptr<Held>> matrices_;
  std::unordered_map<const void*, size_t> index_of_;
  at::Tensor spark_;
  at::Tensor scratch_;              // what Expand gives out
  std::optional<size_t> expanded_;  // whose values it has
  Coded coded_;
  TrainingOptions options_;
  uint64_t seed_ = 0;
  uint64_t step_ = 0;
  bool in_step_ = false;
  bool recomputing_ = false;
  absl::Status status_;  // of the current step
};

// The keeper of a model: `packed`, or plain matrices if it is null.
std::shared_ptr<MatrixKeeper> KeeperOr(const std::shared_ptr<PackedMatrices>& packed);

// INVALID_ARGUMENT for packed matrices on a device that they are not written for.
absl::Status CheckPackedDevice(bool packed, const at::Device& device);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_PACKED_MATRICES_H_
