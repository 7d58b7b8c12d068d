// Any bytes as a payload file: as they are, and with sizes, hashes and checksums made right so that what lies behind
// them is reached.
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/file.h"
#include "common/codec/frame.h"
#include "common/codec/inspect.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "tests/fuzz/fuzz_target.h"

namespace thinwire {
namespace {

// The model of tests/golden/payloads, whose files are the seeds.
const ModelSpec& Model() {
  static const auto* const spec =
      new ModelSpec(ModelSpec::Create({{"fc.weight", {2, 3}, DataType::kFloat32, TensorRole::kTrainable},
                                       {"embedding", {2}, DataType::kFloat32, TensorRole::kFrozen},
                                       {"norm.mean", {2}, DataType::kFloat32, TensorRole::kBuffer},
                                       {"norm.steps", {}, DataType::kInt64, TensorRole::kBuffer}})
                        .value());
  return *spec;
}

// A file in memory: the disk would be most of the time.
const std::string& ScratchPath() {
  static const std::string* const path =
      new std::string(absl::StrCat("/proc/self/fd/", memfd_create("thinwire_payload_fuzz", 0)));
  return *path;
}

void CheckSegments(const PayloadReader& reader) {
  for (size_t i = 0; i < reader.manifest().segments.size(); ++i) {
    std::vector<float> values(reader.manifest().segments[i].count);
    if (reader.DecodeFloats(i, absl::MakeSpan(values)).ok()) {
      for (const float value : values) Require(std::isfinite(value), "decoded values are finite");
    }
    std::vector<int64_t> ints(values.size());
    (void)reader.DecodeInts(i, absl::MakeSpan(ints));
  }
}

void CheckFile(const std::string& bytes) {
  auto file = File::Create(ScratchPath());
  Require(file.ok() && file->WriteAt(0, bytes).ok(), "the scratch file can be written");
  (void)InspectPayload(ScratchPath());
  const auto reader = PayloadReader::Open(ScratchPath(), {}, Model());
  if (!reader.ok()) return;
  Require(reader->ref().total_size == bytes.size(), "a payload that opens is as long as its file");
  CheckSegments(*reader);
}

void Seal(std::string* bytes) {
  const size_t segments = std::min<size_t>(LoadLittle<uint32_t>(&(*bytes)[12]), 16);
  if (bytes->size() < ManifestSize(segments)) return;
  uint64_t at = ManifestSize(segments);
  for (size_t i = 0; i < segments; ++i) {
    char* entry = &(*bytes)[ManifestSize(i)];
    const uint32_t size = LoadLittle<uint32_t>(entry + 12);
    if (size < kFrameHeaderSize || size > bytes->size() - at) return;
    const absl::string_view frame(bytes->data() + at, size);
    StoreLittle<uint32_t>(Crc32c(frame.substr(kFrameHeaderSize), Crc32c(frame.substr(0, 12))), &(*bytes)[at + 12]);
    const Digest digest = Sha256(frame);
    std::copy(digest.bytes.begin(), digest.bytes.end(), entry + 16);
    at += size;
  }
  StoreLittle<uint64_t>(at - ManifestSize(segments), &(*bytes)[16]);
  bytes->resize(at);
}

}  // namespace
}  // namespace thinwire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace thinwire;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckFile(bytes);
  if (size >= kManifestHeaderSize) {
    Seal(&bytes);
    CheckFile(bytes);
  }
  return 0;
}
