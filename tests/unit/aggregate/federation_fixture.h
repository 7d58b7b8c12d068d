// A model with every kind of tensor, its downlink payload, and updates made from it: for tests of folding and
// publishing.
#ifndef THINWIRE_TESTS_UNIT_AGGREGATE_FEDERATION_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_AGGREGATE_FEDERATION_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/rng.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"
#include "common/tensor/safetensors.h"
#include "server/aggregate/folder.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {

constexpr uint32_t kWeight = 0, kRunningMean = 1, kSteps = 2, kBias = 3, kTable = 4;  // tensors of MixedSpec

inline ModelSpec MixedSpec() {
  return *ModelSpec::Create({{"weight", {2, kBlockValues / 2 + 100}, DataType::kFloat32, TensorRole::kTrainable},
                             {"running_mean", {5}, DataType::kFloat32, TensorRole::kBuffer},
                             {"steps", {}, DataType::kInt64, TensorRole::kBuffer},
                             {"bias", {7}, DataType::kFloat32, TensorRole::kTrainable},
                             {"table", {300}, DataType::kFloat32, TensorRole::kFrozen}});
}

inline ModelState RandomState(uint64_t seed) {
  ModelState state(MixedSpec());
  RandomStream random(seed);
  for (std::vector<float>& tensor : state.floats) {
    for (float& value : tensor) value = static_cast<float>(random.NextDouble() - 0.5);
  }
  state.floats[kWeight][3] = -0.0f;
  state.floats[kBias][0] = 0.0f;
  state.ints[kSteps] = {1000};
  return state;
}

inline void ExpectSameBits(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) ASSERT_EQ(FloatBits(actual[i]), FloatBits(expected[i])) << "value " << i;
}

inline ModelState ReadState(BlockSource& source, const ModelSpec& spec) {
  ModelState state(spec);
  for (uint32_t i = 0; i < spec.tensors().size(); ++i) {
    EXPECT_THAT(source.ReadFloats(i, 0, absl::MakeSpan(state.floats[i])).ok() ||
                    source.ReadInts(i, 0, absl::MakeSpan(state.ints[i])).ok(),
                true);
  }
  return state;
}

// W on disk, its downlink payload, and one round's accumulator.
class Federation {
 public:
  explicit Federation(const CodecSpec& downlink, ModelState weights = RandomState(1)) : w(std::move(weights)) {
    ModelStateSource source(w);
    EXPECT_THAT(WriteSafetensors(PathOf("w"), w.spec, source), IsOk());
    const absl::StatusOr<PayloadRef> ref =
        EncodePayload(w.spec, {Representation::kModel, downlink, {}}, source, PathOf("down"));
    EXPECT_THAT(ref, IsOk());
    base = std::make_unique<PayloadReader>(*PayloadReader::Open(PathOf("down"), *ref, w.spec));
    r = w;
    PayloadSource decoded(*base);
    for (const uint32_t tensor : {kWeight, kBias}) {
      EXPECT_THAT(decoded.ReadFloats(tensor, 0, absl::MakeSpan(r.floats[tensor])), IsOk());
    }
    accumulator = NewAccumulator();
  }

  std::unique_ptr<Accumulator> NewAccumulator() const {
    const FixedPoint rules = *ChooseFixedPoint(w.spec, std::vector<double>(5, 256.0), 1000, 16);
    return *Accumulator::Create(w.spec, rules);
  }
  std::string PathOf(const std::string& name) const { return JoinPath(directory_.path(), name); }

  // What a client that has trained R into `trained` sends: the values themselves, or for a delta the differences of the
  // trainable tensors.
  FoldRequest Upload(const std::string& name, ModelState trained, Representation representation, const CodecSpec& codec,
                     uint64_t weight) const {
    for (const uint32_t tensor : {kWeight, kBias}) {
      if (representation != Representation::kDelta) continue;
      for (size_t i = 0; i < trained.floats[tensor].size(); ++i) trained.floats[tensor][i] -= r.floats[tensor][i];
    }
    ModelStateSource source(trained);
    const absl::StatusOr<PayloadRef> ref =
        EncodePayload(w.spec, {representation, codec, base->ref().id}, source, PathOf(name));
    EXPECT_THAT(ref, IsOk());
    return {PathOf(name), *ref, base.get(), base->ref().id, weight, 1e6};
  }

  ModelState w;  // full precision
  ModelState r;  // as clients decode it
  std::unique_ptr<PayloadReader> base;
  std::unique_ptr<Accumulator> accumulator;

 private:
  TemporaryDirectory directory_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_AGGREGATE_FEDERATION_FIXTURE_H_
