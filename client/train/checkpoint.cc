#include "client/train/checkpoint.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>

namespace thinwire {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Recipe : torch::CustomClassHolder {
  std::function<at::Tensor(const at::Tensor&)> block;
  MatrixKeeper* keeper;
  at::Generator random;
  at::Tensor random_state;  // before the first computation

  at::Tensor Again(const at::Tensor& x) {
    at::Tensor later;
    if (random.defined()) {
      later = random.get_state();
      random.set_state(random_state);
    }
    keeper->SetRecomputing(true);
    at::Tensor y = block(x);
    keeper->SetRecomputing(false);
    if (random.defined()) random.set_state(later);
    return y;
  }
};

class CheckpointFunction : public torch::autograd::Function<CheckpointFunction> {
 public:
  // Autograd records nothing in here.
  static at::Tensor forward(AutogradContext* context, const c10::intrusive_ptr<Recipe>& recipe, const at::Tensor& x,
                            const at::Tensor& /*spark*/) {
    context->saved_data["recipe"] = c10::IValue::make_capsule(recipe);
    context->save_for_backward({x});
    return recipe->block(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto capsule = context->saved_data["recipe"].toCapsule();
    auto* const recipe = static_cast<Recipe*>(capsule.get());
    const bool wanted = context->needs_input_grad(0);
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_(wanted);
    at::AutoGradMode record(true);
    torch::autograd::backward({recipe->Again(x)}, {gradients[0]});
    variable_list out(3);
    if (wanted) out[1] = x.grad();
    return out;
  }
};

}  // namespace

at::Tensor Checkpoint(const std::function<at::Tensor(const at::Tensor&)>& block, const at::Tensor& x,
                      MatrixKeeper* keeper, at::Generator random) {
  if (!at::GradMode::is_enabled()) return block(x);
  auto recipe = c10::make_intrusive<Recipe>();
  recipe->block = block;
  recipe->keeper = keeper;
  recipe->random = random;
  if (random.defined()) recipe->random_state = random.get_state();
  return CheckpointFunction::apply(recipe, x, at::zeros({1}).requires_grad_(true));
}

}  // namespace thinwire
