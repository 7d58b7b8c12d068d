// What comes out of bases: a version's coordinates behind those of the epochs before it, and whole models. For
// basis_store.cc only.
#ifndef THINWIRE_SERVER_STORE_BASIS_SOURCES_H_
#define THINWIRE_SERVER_STORE_BASIS_SOURCES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/base/status_macros.h"
#include "common/subspace/basis_file.h"
#include "common/subspace/coordinates.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// A version's coordinates and buffers behind those of the epochs before it.
class CatchUpSource : public BlockSource {
 public:
  // `finals` are the files of the epochs missed, of `values` coordinates each.
  CatchUpSource(const ModelSpec& spec, std::vector<BasisFile> finals, uint64_t values, BlockSource& version)
      : tensors_(CoordinateTensors(spec)), finals_(std::move(finals)), values_(values), version_(version) {}

  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    if (tensor >= tensors_) return version_.ReadFloats(tensor - tensors_ + 1, first, out);
    const uint64_t before = tensors_ > 1 ? tensor * values_ : 0;
    for (uint64_t done = 0; done < out.size();) {
      const uint64_t at = before + first + done, epoch = at / values_, begin = at % values_;
      const auto part = out.subspan(done, values_ - begin);
      TW_RETURN_IF_ERROR(epoch < finals_.size() ? finals_[epoch].Read(begin, part)
                                                : version_.ReadFloats(0, begin, part));
      done += part.size();
    }
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override {
    return version_.ReadInts(tensor - tensors_ + 1, first, out);
  }

 private:
  const uint32_t tensors_;
  std::vector<BasisFile> finals_;
  const uint64_t values_;
  BlockSource& version_;
};

// theta as it lies in a flat file, and the buffers of a version.
class ExpandedSource : public BlockSource {
 public:
  ExpandedSource(const ModelSpec& model, const BasisFile& theta, BlockSource& version)
      : theta_(theta), version_(version), place_(model.tensors().size()) {
    uint64_t position = 0;
    uint32_t buffer = 1;
    for (size_t i = 0; i < place_.size(); ++i) {
      const TensorSpec& tensor = model.tensors()[i];
      const bool trained = tensor.role == TensorRole::kTrainable;
      place_[i] = {trained, trained ? position : buffer++};
      if (trained) position += tensor.count();
    }
  }
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override {
    const auto& [trained, place] = place_[tensor];
    return trained ? theta_.Read(place + first, out) : version_.ReadFloats(static_cast<uint32_t>(place), first, out);
  }
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override {
    return version_.ReadInts(static_cast<uint32_t>(place_[tensor].second), first, out);
  }

 private:
  const BasisFile& theta_;
  BlockSource& version_;
  std::vector<std::pair<bool, uint64_t>> place_;  // trained: position in theta; else: the version's tensor
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_BASIS_SOURCES_H_
