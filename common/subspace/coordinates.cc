#include "common/subspace/coordinates.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr char kName[] = "thinwire.coordinates";
constexpr uint64_t kRowBlock = 4096;
constexpr uint64_t kLeastBits = 3;  // a value in S1E2M0

TensorSpec Coordinates(const std::string& name, uint64_t vectors, const SubspacePlan& plan) {
  return {name,
          {static_cast<int64_t>(vectors), static_cast<int64_t>(plan.dimension)},
          DataType::kFloat32,
          TensorRole::kTrainable};
}

absl::StatusOr<ModelSpec> WithBuffers(const ModelSpec& model, std::vector<TensorSpec> tensors) {
  for (const uint32_t buffer : BufferTensors(model)) tensors.push_back(model.tensors()[buffer]);
  return ModelSpec::Create(std::move(tensors));
}

// Whether what a value decodes to depends on its vectors alone, whatever comes before or after them in the tensor.
bool CodesVectorsAlone(const CodecSpec& codec, uint64_t values) {
  if (codec.id == CodecId::kFloatBlocks) return values % kRowBlock == 0;
  return codec.id == CodecId::kFp32 || codec.scale == ScaleRule::kNone;
}

FastfoodSpec MatrixOf(const SubspacePlan& plan, uint64_t dense_size, uint64_t seed) {
  FastfoodSpec spec;
  spec.seed = seed;
  spec.dense_size = dense_size;
  spec.subspace_size = plan.dimension;
  spec.block_size = plan.block_size;
  spec.diagonal = plan.normal_diagonal ? FastfoodDiagonal::kNormal : FastfoodDiagonal::kSigns;
  return spec;
}

}  // namespace

absl::Status CheckSubspaceFits(const SubspacePlan& plan, const ModelSpec& model) {
  TW_RETURN_IF_ERROR(plan.Validate());
  const uint64_t frozen = model.count(TensorRole::kFrozen);
  if (frozen > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model has ", frozen,
                     " frozen values, which a plan of a subspace does not carry; use another plan, or a model in which "
                     "all parameters are trained"));
  }
  const uint64_t size = model.count(TensorRole::kTrainable);
  if (size < plan.dimension) {
    return absl::InvalidArgumentError(absl::StrCat("subspace.dimension is ", plan.dimension,
                                                   ", but the model has only ", size,
                                                   " trainable values; choose far fewer dimensions than that"));
  }
  if (const uint64_t values = plan.vectors * plan.dimension; values > size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "subspace.vectors is ", plan.vectors, " and subspace.dimension ", plan.dimension, ", which makes ", values,
        " numbers to download, but the model has only ", size, " trainable values; choose far fewer than that"));
  }
  TW_RETURN_IF_ERROR(Fastfood::Create(MatrixOf(plan, size, 0)).status());
  return WithBuffers(model, {Coordinates(kName, plan.vectors, plan)}).status();
}

ModelSpec CoordinatesSpec(const ModelSpec& model, const SubspacePlan& plan) {
  return *WithBuffers(model, {Coordinates(kName, plan.vectors, plan)});
}

ModelSpec CoordinatesUpdateSpec(const ModelSpec& model, const SubspacePlan& plan) {
  return *WithBuffers(model, {Coordinates(kName, 1, plan)});
}

ModelSpec CatchUpSpec(const ModelSpec& model, const SubspacePlan& plan, const CodecSpec& codec, uint64_t missed) {
  const uint64_t epochs = missed + 1;
  if (missed == 0 || CodesVectorsAlone(codec, plan.vectors * plan.dimension)) {
    return *WithBuffers(model, {Coordinates(kName, epochs * plan.vectors, plan)});
  }
  std::vector<TensorSpec> tensors;
  for (uint64_t place = 0; place < epochs; ++place) {
    tensors.push_back(Coordinates(absl::StrCat(kName, ".", place), plan.vectors, plan));
  }
  return *WithBuffers(model, std::move(tensors));
}

uint64_t MostMissedEpochs(const ModelSpec& model, const SubspacePlan& plan) {
  const uint64_t whole = MaxPayloadSize(BasisSpec(model), Representation::kModel, CodecSpec::Fp32()).value_or(0);
  const uint64_t tensors = ModelSpec::kMaxTensors - BufferTensors(model).size() - 1;
  return std::min(8 * whole / (kLeastBits * plan.vectors * plan.dimension), tensors);
}

ModelSpec BasisSpec(const ModelSpec& model) {
  const auto size = static_cast<int64_t>(model.count(TensorRole::kTrainable));
  return *ModelSpec::Create({{"thinwire.basis", {size}, DataType::kFloat32, TensorRole::kTrainable}});
}

uint32_t CoordinateTensors(const ModelSpec& spec) {
  uint32_t count = 0;
  while (count < spec.tensors().size() && absl::StartsWith(spec.tensors()[count].name, kName)) ++count;
  return count;
}

CoordinatesPlace PlaceOfEpoch(const ModelSpec& catch_up, const SubspacePlan& plan, uint64_t place) {
  if (CoordinateTensors(catch_up) > 1) return {static_cast<uint32_t>(place), 0};
  return {0, place * plan.vectors * plan.dimension};
}

std::vector<uint32_t> BufferTensors(const ModelSpec& model) {
  std::vector<uint32_t> buffers;
  for (uint32_t i = 0; i < model.tensors().size(); ++i) {
    if (model.tensors()[i].role == TensorRole::kBuffer) buffers.push_back(i);
  }
  return buffers;
}

absl::StatusOr<std::vector<Fastfood>> MatricesOfEpoch(const SubspacePlan& plan, uint64_t dense_size, uint64_t run_seed,
                                                      uint64_t epoch) {
  std::vector<Fastfood> matrices;
  for (uint64_t k = 0; k < plan.vectors; ++k) {
    const uint64_t seed = DeriveKey({run_seed, KeyWord("subspace"), epoch, k});
    TW_ASSIGN_OR_RETURN(Fastfood matrix, Fastfood::Create(MatrixOf(plan, dense_size, seed)));
    matrices.push_back(std::move(matrix));
  }
  return matrices;
}

uint32_t VectorOfClient(const SubspacePlan& plan, uint64_t run_seed, uint32_t round, const std::string& client) {
  const uint64_t key = DeriveKey({run_seed, round, KeyWord(client), KeyWord("subspace vector")});
  return static_cast<uint32_t>(key % plan.vectors);
}

absl::Status ReadAnywhere(BlockSource& source, const ModelSpec& spec, uint32_t tensor, uint64_t first,
                          absl::Span<float> out) {
  const uint64_t count = spec.tensors()[tensor].count();
  if (first > count || out.size() > count - first) return absl::OutOfRangeError("values lie outside their tensor");
  std::vector<float> block;
  for (uint64_t at = first; at < first + out.size();) {
    const uint64_t index = at / kBlockValues, begin = index * kBlockValues;
    block.resize(BlockSize(count, index));
    TW_RETURN_IF_ERROR(source.ReadFloats(tensor, begin, absl::MakeSpan(block)));
    const uint64_t end = std::min(begin + block.size(), first + out.size());
    std::copy(block.begin() + static_cast<ptrdiff_t>(at - begin), block.begin() + static_cast<ptrdiff_t>(end - begin),
              out.begin() + static_cast<ptrdiff_t>(at - first));
    at = end;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::vector<float>>> ReadCoordinates(BlockSource& source, const ModelSpec& catch_up,
                                                                const SubspacePlan& plan, uint64_t place) {
  const CoordinatesPlace start = PlaceOfEpoch(catch_up, plan, place);
  std::vector<std::vector<float>> vectors(plan.vectors, std::vector<float>(plan.dimension));
  for (uint64_t k = 0; k < plan.vectors; ++k) {
    TW_RETURN_IF_ERROR(
        ReadAnywhere(source, catch_up, start.tensor, start.first + k * plan.dimension, absl::MakeSpan(vectors[k])));
  }
  return vectors;
}

}  // namespace thinwire
