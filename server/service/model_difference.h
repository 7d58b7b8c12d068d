// Why two models are not the same, for people.
#ifndef THINWIRE_SERVER_SERVICE_MODEL_DIFFERENCE_H_
#define THINWIRE_SERVER_SERVICE_MODEL_DIFFERENCE_H_

#include <string>

#include "common/tensor/model_spec.h"

namespace thinwire {

// "tensor 3: 'fc.weight f32 trainable [10,64]' here, 'fc.weight f32 trainable [10,32]' there": the first difference.
// Empty if the models are equal.
std::string FirstDifference(const ModelSpec& here, const ModelSpec& there);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_MODEL_DIFFERENCE_H_
