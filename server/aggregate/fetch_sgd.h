// FetchSGD's server (Rothchild et al. 2020, arXiv 2007.07682, algorithm 1), in updates m - R instead of gradients:
//
//   S_u = rho S_u + S                momentum, S being the weighted mean of the clients' sketches
//   S_e = S_e + S_u                  what has not been applied
//   step = the k entries of the largest estimates in S_e
//   w = w + step
//   S_u = 0 in all cells that step fell into (momentum factor masking)
//   S_e = 0 there too, as in the paper's experiments, or S_e - sketch(step), as in its algorithm
//
// The clients' learning rate is in S, where the paper multiplies by it here.
#ifndef THINWIRE_SERVER_AGGREGATE_FETCH_SGD_H_
#define THINWIRE_SERVER_AGGREGATE_FETCH_SGD_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/codec/sketch_plan.h"
#include "common/codec/sparse_codec.h"
#include "common/tensor/model_spec.h"
#include "server/aggregate/folder.h"
#include "server/aggregate/round_aggregate.h"

namespace thinwire {

// Advances momentum and error by the mean sketch, all tables of `plan` under `seed`, and returns what is to be added to
// the `dimension` weights: at most k entries, none of them 0. Pure but for the tables; the same on every machine.
// Memory of 2 k entries, time of `dimension` estimates.
SparseEntries FetchSgdStep(const SketchPlan& plan, uint64_t seed, uint64_t dimension, absl::Span<const float> mean,
                           absl::Span<float> momentum, absl::Span<float> error);

// WriteNewVersion for a strategy with a sketch; the state is the two tables.
absl::StatusOr<WrittenVersion> WriteSketchVersion(const ModelSpec& spec, const RoundAggregate& aggregate,
                                                  const PublishRequest& request);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_AGGREGATE_FETCH_SGD_H_
