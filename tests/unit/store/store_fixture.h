// A state directory with a small model in it, and updates for its rounds.
#ifndef THINWIRE_TESTS_UNIT_STORE_STORE_FIXTURE_H_
#define THINWIRE_TESTS_UNIT_STORE_STORE_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"
#include "common/tensor/safetensors.h"
#include "server/aggregate/folder.h"
#include "server/store/model_store.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {

inline ModelState SmallModel(bool with_frozen = true) {
  std::vector<TensorSpec> tensors = {{"w", {100}, DataType::kFloat32, TensorRole::kTrainable},
                                     {"mean", {4}, DataType::kFloat32, TensorRole::kBuffer},
                                     {"steps", {}, DataType::kInt64, TensorRole::kBuffer}};
  if (with_frozen) tensors.push_back({"table", {50}, DataType::kFloat32, TensorRole::kFrozen});
  ModelState state(*ModelSpec::Create(std::move(tensors)));
  float value = 0;
  for (std::vector<float>& tensor : state.floats) {
    for (float& x : tensor) x = value += 0.01f;
  }
  state.floats[0][0] = -0.0f;
  return state;
}

// Journal and model store over one directory.
struct State {
  static State Open(const std::string& directory, uint32_t keep_versions = 2,
                    const CodecSpec& codec = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo),
                    const std::optional<SubspacePlan>& subspace = std::nullopt) {
    State state;
    absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(JoinPath(directory, "journal.db"));
    EXPECT_THAT(journal, IsOk());
    state.journal = *std::move(journal);
    absl::StatusOr<std::unique_ptr<ModelStore>> models =
        ModelStore::Open({directory, codec, keep_versions, 0, subspace}, state.journal.get());
    EXPECT_THAT(models, IsOk());
    state.models = *std::move(models);
    return state;
  }

  std::unique_ptr<Journal> journal;
  std::unique_ptr<ModelStore> models;
};

inline void WriteModel(const ModelState& model, const std::string& path) {
  ModelStateSource source(model);
  ASSERT_THAT(WriteSafetensors(path, model.spec, source), IsOk());
}

inline std::unique_ptr<Accumulator> NewAccumulator(const ModelSpec& spec) {
  const FixedPoint rules = *ChooseFixedPoint(spec, std::vector<double>(spec.tensors().size(), 1024.0), 100, 10);
  return *Accumulator::Create(spec, rules);
}

// A sum of one update that moves every trainable value by `step`.
inline std::unique_ptr<Accumulator> OneUpdate(const ModelSpec& spec, float step) {
  std::unique_ptr<Accumulator> accumulator = NewAccumulator(spec);
  EXPECT_THAT(accumulator->Admit(1), IsOk());
  accumulator->AddFloats(0, 0, std::vector<float>(100, step), 1);
  accumulator->MaxInts(2, 0, {7});
  accumulator->CountUpdate(1);
  return accumulator;
}

inline RoundRow ClosedRound(uint32_t round) {
  RoundRow row;
  row.round = round;
  row.base_version = round - 1;
  row.state = RoundState::kPublished;
  return row;
}

inline absl::StatusOr<VersionRow> PublishNext(State& state, float step, std::vector<uint64_t> pinned = {},
                                              StrategyOptions strategy = {}) {
  const uint64_t base = state.models->Latest()->version;
  const std::unique_ptr<Accumulator> accumulator = OneUpdate(*state.models->spec(), step);
  PublishVersion request;
  request.base_version = base;
  request.new_version = base + 1;
  request.aggregate = accumulator.get();
  request.strategy = strategy;
  request.round = ClosedRound(static_cast<uint32_t>(base + 1));
  request.pinned = std::move(pinned);
  return state.models->Publish(request);
}

// The first trainable value but one of a version.
inline float FirstWeight(const State& state, const std::string& directory, uint64_t version) {
  const absl::StatusOr<std::optional<VersionRow>> row = state.journal->FindVersion(version);
  SafetensorsReader reader = *SafetensorsReader::Open(JoinPath(JoinPath(directory, "versions"), (*row)->weights_file));
  float value = 0;
  EXPECT_THAT(reader.ReadFloats(0, 1, absl::MakeSpan(&value, 1)), IsOk());
  return value;
}

inline void DamageLastByte(const std::string& path) {
  ASSERT_OK_AND_ASSIGN(File file, File::OpenForUpdate(path));
  ASSERT_OK_AND_ASSIGN(const uint64_t size, file.Size());
  char byte = 0;
  ASSERT_THAT(file.ReadAt(size - 1, 1, &byte), IsOk());
  byte = static_cast<char>(byte ^ 1);
  ASSERT_THAT(file.WriteAt(size - 1, absl::string_view(&byte, 1)), IsOk());
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_STORE_STORE_FIXTURE_H_
