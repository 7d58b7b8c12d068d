#include "client/train/packed_matrices.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/train/packed_operations.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

absl::Span<float> ValuesOf(const at::Tensor& tensor) {
  return absl::MakeSpan(tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel()));
}

}  // namespace

struct PackedMatrices::Held {
  std::vector<int64_t> shape;
  at::Tensor parameter;  // on the meta device
  PackedMatrix values;
  std::unique_ptr<PackedMatrix> momentum, anchor;
  int uses = 0;        // in this step's forward pass, less those in its backward pass
  at::Tensor pending;  // the sum of the gradients of all uses so far, until the last one
};

PackedMatrices::PackedMatrices(const PackedFormat& format)
    : format_(format), spark_(at::zeros({1}).requires_grad_(true)) {}
PackedMatrices::~PackedMatrices() = default;

at::Tensor PackedMatrices::NewMatrix(at::IntArrayRef shape) {
  at::Tensor parameter = at::empty(shape, at::TensorOptions(at::kFloat).device(at::kMeta));
  const auto count = static_cast<uint64_t>(parameter.numel());
  index_of_[parameter.unsafeGetTensorImpl()] = matrices_.size();
  matrices_.push_back(
      std::make_unique<Held>(Held{shape.vec(), parameter, PackedMatrix(count, format_), nullptr, nullptr, 0, {}}));
  return parameter;
}

at::Tensor PackedMatrices::Linear(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias) {
  return PackedLinear(this, IndexOf(matrix), x, bias);
}
at::Tensor PackedMatrices::Convolution(const at::Tensor& x, const at::Tensor& matrix, const at::Tensor& bias,
                                       const ConvolutionShape& shape) {
  return PackedConvolution(this, IndexOf(matrix), x, bias, shape);
}
at::Tensor PackedMatrices::Embedding(const at::Tensor& indices, const at::Tensor& matrix) {
  return PackedEmbedding(this, IndexOf(matrix), indices);
}

bool PackedMatrices::Holds(const at::Tensor& parameter) const {
  return index_of_.count(parameter.unsafeGetTensorImpl()) > 0;
}
size_t PackedMatrices::IndexOf(const at::Tensor& parameter) const {
  return index_of_.at(parameter.unsafeGetTensorImpl());
}
PackedMatrix& PackedMatrices::matrix(size_t index) {
  expanded_.reset();
  return matrices_[index]->values;
}
const PackedMatrix& PackedMatrices::matrix(size_t index) const { return matrices_[index]->values; }

absl::Status PackedMatrices::Hold(const PackedFormat& format,
                                  const std::function<std::vector<bool>(size_t index)>& exact) {
  TW_RETURN_IF_ERROR(format.Validate());
  format_ = format;
  expanded_.reset();
  for (size_t index = 0; index < matrices_.size(); ++index) {
    Held& held = *matrices_[index];
    const uint64_t count = held.values.count();
    held.momentum.reset();
    held.anchor.reset();
    held.values = PackedMatrix(0, format_);  // the old memory goes before the new one comes
    held.values = PackedMatrix(count, format_, exact(index));
  }
  return absl::OkStatus();
}

size_t PackedMatrices::memory() const {
  size_t bytes = 0;
  for (const auto& held : matrices_) {
    bytes += held->values.memory();
    if (held->momentum != nullptr) bytes += held->momentum->memory();
    if (held->anchor != nullptr) bytes += held->anchor->memory();
  }
  return bytes;
}

absl::Status PackedMatrices::BeginRound(const TrainingOptions& options, uint64_t seed) {
  if (options.optimizer != TrainingOptions::Optimizer::kSgd) {
    return absl::UnimplementedError(
        "Adam needs two more numbers for each weight, which small floats cannot carry; train packed models with SGD, "
        "with or without momentum");
  }
  options_ = options;
  seed_ = seed;
  for (const auto& held : matrices_) {
    held->anchor = options.proximal_mu > 0 ? std::make_unique<PackedMatrix>(held->values) : nullptr;
    held->momentum = options.momentum > 0 ? std::make_unique<PackedMatrix>(held->values.count(), format_) : nullptr;
  }
  return absl::OkStatus();
}

void PackedMatrices::BeginStep(uint64_t step) {
  step_ = step;
  in_step_ = true;
  status_ = absl::OkStatus();
}

absl::Status PackedMatrices::EndStep() {
  in_step_ = false;
  for (const auto& held : matrices_) {
    if (held->uses != 0 && status_.ok()) {
      status_ = absl::FailedPreconditionError(
          absl::StrCat("a matrix was used ", held->uses, " times more in the forward than in the backward pass: every ",
                       "output of a packed model must be part of its loss"));
    }
    held->uses = 0;
    held->pending.reset();
  }
  return status_;
}

at::Tensor PackedMatrices::Expand(size_t index) {
  const Held& held = *matrices_[index];
  const auto count = static_cast<int64_t>(held.values.count());
  if (!scratch_.defined() || scratch_.numel() < count) scratch_ = at::empty({count});
  const at::Tensor values = scratch_.narrow(0, 0, count);
  if (expanded_ != index) {
    held.values.Expand(ValuesOf(values));
    coded_.expanded += held.values.count();
    expanded_ = index;
  }
  return values.view(held.shape);
}

void PackedMatrices::CountUse(size_t index) {
  if (in_step_ && !recomputing_) ++matrices_[index]->uses;
}

void PackedMatrices::TakeGradient(size_t index, at::Tensor gradient) {
  Held& held = *matrices_[index];
  at::Tensor sum = held.pending.defined() ? held.pending.add_(gradient) : std::move(gradient);
  if (--held.uses > 0) {
    held.pending = std::move(sum);
    return;
  }
  held.pending.reset();
  absl::Status stepped = Step(index, std::move(sum));
  if (status_.ok()) status_ = std::move(stepped);
}

std::shared_ptr<MatrixKeeper> KeeperOr(const std::shared_ptr<PackedMatrices>& packed) {
  return packed != nullptr ? std::static_pointer_cast<MatrixKeeper>(packed) : std::make_shared<PlainMatrices>();
}

absl::Status CheckPackedDevice(bool packed, const at::Device& device) {
  if (!packed || device.is_cpu()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("packed weights are held on the CPU, the device is ", device.str(), "; use one or the other"));
}

// In memory of its own.
at::Tensor PackedMatrices::Expanded(const PackedMatrix& matrix, at::IntArrayRef shape) {
  at::Tensor values = at::empty(shape);
  matrix.Expand(ValuesOf(values));
  coded_.expanded += matrix.count();
  return values;
}

absl::Status PackedMatrices::Pack(const at::Tensor& values, const char* what, size_t index, PackedMatrix* matrix) {
  coded_.packed += matrix->count();
  return matrix->Pack(ValuesOf(values), DeriveKey({seed_, KeyWord(what), index, step_}));
}

// The operations of torch_round.cc's Pull and of LibTorch's SGD, in their order, each in place of what it needs no
// more.
absl::Status PackedMatrices::Step(size_t index, at::Tensor gradient) {
  Held& held = *matrices_[index];
  const at::Tensor weights = Expand(index);
  at::Tensor direction = gradient.contiguous();
  if (held.anchor != nullptr) {
    at::Tensor from_anchor = Expanded(*held.anchor, held.shape);
    direction.add_(at::sub_out(from_anchor, weights, from_anchor), options_.proximal_mu);
  }
  if (options_.weight_decay != 0) direction.add_(weights, options_.weight_decay);
  if (held.momentum != nullptr) {
    direction = Expanded(*held.momentum, held.shape).mul_(options_.momentum).add_(direction);
    TW_RETURN_IF_ERROR(Pack(direction, "momentum", index, held.momentum.get()));
  }
  expanded_.reset();  // what follows changes the values
  weights.add_(direction, -options_.learning_rate);
  return Pack(weights, "weights", index, &held.values);
}

}  // namespace thinwire
