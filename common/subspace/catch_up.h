// How far behind a client may be that is sent coordinates, not theta_e.
#ifndef THINWIRE_COMMON_SUBSPACE_CATCH_UP_H_
#define THINWIRE_COMMON_SUBSPACE_CATCH_UP_H_

#include <cstdint>

#include "common/codec/subspace_plan.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// More missed epochs than this nobody is sent a CatchUpSpec of (coordinates.h): in the lowest of all codecs it would be
// more bytes than theta_e itself, or it would have more tensors than a model may have. `model` has passed
// CheckSubspaceFits.
uint64_t MostMissedEpochs(const ModelSpec& model, const SubspacePlan& plan);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_CATCH_UP_H_
