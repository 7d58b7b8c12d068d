#include "client/train/packed_operations.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "client/train/packed_matrices.h"

namespace thinwire {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// What an operation remembers besides its input.
struct Use {
  PackedMatrices* keeper;
  size_t index;
};

void Remember(AutogradContext* context, const Use& use, const at::Tensor& x, bool has_bias) {
  use.keeper->CountUse(use.index);
  context->saved_data["keeper"] = reinterpret_cast<int64_t>(use.keeper);
  context->saved_data["index"] = static_cast<int64_t>(use.index);
  context->saved_data["has_bias"] = has_bias;
  context->save_for_backward({x});
}

Use UseOf(AutogradContext* context) {
  return {reinterpret_cast<PackedMatrices*>(context->saved_data["keeper"].toInt()),
          static_cast<size_t>(context->saved_data["index"].toInt())};
}

// Autograd takes no undefined tensors.
c10::optional<at::Tensor> Optional(const at::Tensor& bias) {
  return bias.defined() ? c10::optional<at::Tensor>(bias) : c10::nullopt;
}

at::Tensor Flat(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

// Inputs, and so gradients: the use, x, the bias, the spark. needs_input_grad counts tensors only: x is number 0.
constexpr size_t kInputs = 4;

class LinearFunction : public Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, Use use, const at::Tensor& x,
                            const c10::optional<at::Tensor>& bias, const at::Tensor& /*spark*/) {
    Remember(context, use, x, bias.has_value());
    return at::linear(x, use.keeper->Expand(use.index), bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Use use = UseOf(context);
    const at::Tensor x = context->get_saved_variables()[0];
    const at::Tensor gradient = Flat(gradients[0]);
    variable_list out(kInputs);
    if (context->needs_input_grad(0)) out[1] = gradient.mm(use.keeper->Expand(use.index)).view(x.sizes());
    if (context->saved_data["has_bias"].toBool()) out[2] = gradient.sum(0);
    use.keeper->TakeGradient(use.index, gradient.t().mm(Flat(x)));
    return out;
  }
};

class ConvolutionFunction : public Function<ConvolutionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, Use use, const at::Tensor& x,
                            const c10::optional<at::Tensor>& bias, const at::Tensor& /*spark*/,
                            const ConvolutionShape& shape) {
    Remember(context, use, x, bias.has_value());
    context->saved_data["stride"] = shape.stride;
    context->saved_data["padding"] = shape.padding;
    context->saved_data["groups"] = shape.groups;
    const Sizes sizes(shape.stride.size());
    return at::convolution(x, use.keeper->Expand(use.index), bias, shape.stride, shape.padding, sizes.ones, false,
                           sizes.zeros, shape.groups);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Use use = UseOf(context);
    const at::Tensor x = context->get_saved_variables()[0], gradient = gradients[0];
    const std::vector<int64_t> stride = context->saved_data["stride"].toIntVector();
    const std::vector<int64_t> padding = context->saved_data["padding"].toIntVector();
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const Sizes sizes(stride.size());
    auto [x_gradient, matrix_gradient, bias_gradient] = at::convolution_backward(
        gradient, x, use.keeper->Expand(use.index), std::vector<int64_t>{gradient.size(1)}, stride, padding, sizes.ones,
        false, sizes.zeros, context->saved_data["groups"].toInt(), {context->needs_input_grad(0), true, has_bias});
    variable_list out(kInputs + 1);
    out[1] = x_gradient;
    if (has_bias) out[2] = bias_gradient;
    use.keeper->TakeGradient(use.index, matrix_gradient);
    return out;
  }

 private:
  struct Sizes {
    explicit Sizes(size_t dimensions) : ones(dimensions, 1), zeros(dimensions, 0) {}
    std::vector<int64_t> ones, zeros;
  };
};

class EmbeddingFunction : public Function<EmbeddingFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, Use use, const at::Tensor& indices, const at::Tensor& /*spark*/) {
    Remember(context, use, indices, false);
    const at::Tensor table = use.keeper->Expand(use.index);
    context->saved_data["rows"] = table.size(0);
    return at::embedding(table, indices);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Use use = UseOf(context);
    const at::Tensor indices = context->get_saved_variables()[0];
    const int64_t rows = context->saved_data["rows"].toInt();
    use.keeper->TakeGradient(use.index, at::embedding_dense_backward(gradients[0], indices, rows, /*padding_idx=*/-1,
                                                                     /*scale_grad_by_freq=*/false));
    return variable_list(3);
  }
};

}  // namespace

at::Tensor PackedLinear(PackedMatrices* keeper, size_t index, const at::Tensor& x, const at::Tensor& bias) {
  return LinearFunction::apply(Use{keeper, index}, x, Optional(bias), keeper->spark());
}

at::Tensor PackedConvolution(PackedMatrices* keeper, size_t index, const at::Tensor& x, const at::Tensor& bias,
                             const ConvolutionShape& shape) {
  return ConvolutionFunction::apply(Use{keeper, index}, x, Optional(bias), keeper->spark(), shape);
}

at::Tensor PackedEmbedding(PackedMatrices* keeper, size_t index, const at::Tensor& indices) {
  return EmbeddingFunction::apply(Use{keeper, index}, indices, keeper->spark());
}

}  // namespace thinwire
