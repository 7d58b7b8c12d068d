// What travels and is stored when a model is trained in a subspace (docs/igc.md), derived by both ends from the model
// and the plan, so that it need not be sent.
//
// theta = theta_e + sum over k of A_(e,k) Sigma_k, e counting epochs. A VERSION is a model of its own: one trainable
// tensor [K, d] of coordinates, Sigma, and the model's buffers as they are. Everything that is done with models,
// encoding, aggregation, momentum, is done with it.
#ifndef THINWIRE_COMMON_SUBSPACE_COORDINATES_H_
#define THINWIRE_COMMON_SUBSPACE_COORDINATES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/codec/codec_spec.h"
#include "common/codec/payload.h"
#include "common/codec/subspace_plan.h"
#include "common/subspace/fastfood.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// The theta_e that somebody has: SHA-256 of its values as little-endian binary32, in the order of TrainableVector.
struct HeldBasis {
  uint64_t epoch = 0;
  Digest sha256;
  friend bool operator==(const HeldBasis& a, const HeldBasis& b) { return a.epoch == b.epoch && a.sha256 == b.sha256; }
};

// INVALID_ARGUMENT, naming what and the limit, if the model cannot be trained by the plan: fewer trainable values than
// coordinates, K d, blocks that do not fit, frozen tensors.
absl::Status CheckSubspaceFits(const SubspacePlan& plan, const ModelSpec& model);

// A version: [K, d] coordinates, then the model's buffers in their order. `model` has passed CheckSubspaceFits here and
// below.
ModelSpec CoordinatesSpec(const ModelSpec& model, const SubspacePlan& plan);
// What a client sends: one of the vectors, [1, d], and the buffers.
ModelSpec CoordinatesUpdateSpec(const ModelSpec& model, const SubspacePlan& plan);
// A version for a client that lacks the last coordinates of `missed` epochs: these come before its own. One tensor of
// (missed + 1) K vectors where `codec` codes vectors the same whatever else is in their tensor, a tensor for each epoch
// where it does not. CoordinatesSpec if nothing was missed.
ModelSpec CatchUpSpec(const ModelSpec& model, const SubspacePlan& plan, const CodecSpec& codec, uint64_t missed);
// More missed epochs than this nobody is sent a CatchUpSpec of: in the lowest of all codecs it would be more bytes than
// theta_e itself, or it would have more tensors than a model may have.
uint64_t MostMissedEpochs(const ModelSpec& model, const SubspacePlan& plan);
// theta_e by itself: one tensor of all trainable values.
ModelSpec BasisSpec(const ModelSpec& model);

// Where the first vector of an epoch lies in a CatchUpSpec, `place` counting its epochs from 0; the others follow.
struct CoordinatesPlace {
  uint32_t tensor = 0;
  uint64_t first = 0;
};
CoordinatesPlace PlaceOfEpoch(const ModelSpec& catch_up, const SubspacePlan& plan, uint64_t place);
// Tensors of coordinates that a spec made here begins with; buffers follow.
uint32_t CoordinateTensors(const ModelSpec& spec);
// The model's buffers, by index.
std::vector<uint32_t> BufferTensors(const ModelSpec& model);

// A_(e,0) ... A_(e,K-1). Errors as CheckSubspaceFits.
absl::StatusOr<std::vector<Fastfood>> MatricesOfEpoch(const SubspacePlan& plan, uint64_t dense_size, uint64_t run_seed,
                                                      uint64_t epoch);
// Which of the K vectors a client trains in this round.
uint32_t VectorOfClient(const SubspacePlan& plan, uint64_t run_seed, uint32_t round, const std::string& client);

// Values of a payload's float tensor from anywhere to anywhere: a PayloadSource reads whole blocks only.
absl::Status ReadAnywhere(BlockSource& source, const ModelSpec& spec, uint32_t tensor, uint64_t first,
                          absl::Span<float> out);
// The K vectors of an epoch out of a downlink of a CatchUpSpec.
absl::StatusOr<std::vector<std::vector<float>>> ReadCoordinates(BlockSource& source, const ModelSpec& catch_up,
                                                                const SubspacePlan& plan, uint64_t place);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_SUBSPACE_COORDINATES_H_
