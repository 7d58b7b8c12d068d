// Any bytes as a manifest: refused, or exactly what their content encodes to.
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/bytes.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "tests/fuzz/fuzz_target.h"

namespace thinwire {
namespace {

const ModelSpec& Model() {
  static const auto* const spec =
      new ModelSpec(ModelSpec::Create({{"w", {70000}, DataType::kFloat32, TensorRole::kTrainable},
                                       {"f", {4}, DataType::kFloat32, TensorRole::kFrozen},
                                       {"b", {2}, DataType::kFloat32, TensorRole::kBuffer},
                                       {"n", {}, DataType::kInt64, TensorRole::kBuffer}})
                        .value());
  return *spec;
}

void CheckBytes(absl::string_view bytes) {
  auto manifest = ParseManifest(bytes);
  if (!manifest.ok()) return;
  Require(EncodeManifest(*manifest) == bytes, "a manifest has one encoding");
  (void)CheckManifest(*manifest, Model());
  manifest->model_id = Model().id();  // to get beyond the first check
  if (!CheckManifest(*manifest, Model()).ok()) return;
  const size_t segments = manifest->representation == Representation::kFrozen ? 1 : 4;
  Require(manifest->segments.size() == segments, "a manifest that fits the model has its segments");
}

}  // namespace
}  // namespace thinwire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace thinwire;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckBytes(bytes);
  if (size < kManifestHeaderSize) return 0;
  // With the numbers in the header made right.
  const size_t segments = (size - kManifestHeaderSize) / kManifestEntrySize;
  bytes.resize(ManifestSize(segments));
  uint64_t data_size = 0;
  for (size_t i = 0; i < segments; ++i) data_size += LoadLittle<uint32_t>(&bytes[ManifestSize(i) + 12]);
  StoreLittle<uint32_t>(static_cast<uint32_t>(segments), &bytes[12]);
  StoreLittle<uint64_t>(data_size, &bytes[16]);
  CheckBytes(bytes);
  return 0;
}
