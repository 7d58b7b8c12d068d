// The JSON header of a safetensors file: from and to a ModelSpec. Used by safetensors.cc and its tests.
#ifndef THINWIRE_COMMON_TENSOR_SAFETENSORS_HEADER_H_
#define THINWIRE_COMMON_TENSOR_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tensor/model_spec.h"

namespace thinwire {

// As the reference implementation has it.
constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

struct SafetensorsHeader {
  ModelSpec spec;
  std::vector<uint64_t> offsets;  // by tensor: its first byte, counted from the end of the header
};

// Parses the JSON of a file with `data_size` bytes of values. INVALID_ARGUMENT naming the tensor and the fault.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json, uint64_t data_size);
// The header's JSON, padded with spaces to a multiple of 8 bytes, and the offsets that it declares.
std::string FormatSafetensorsHeader(const ModelSpec& spec, std::vector<uint64_t>* offsets);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_TENSOR_SAFETENSORS_HEADER_H_
