// What each knob of online model compression does to real values: payload against FP32, error, speed. docs/omc.md shows
// its tables.
//   omc_codec_bench [FILE...]    models as safetensors, or updates as flat .npy files of float32, which a meta.json
//                                beside them may cut into tensors by its "names" and "shapes"; without files, a
//                                512 x 512 matrix of a bell shape with deviation 0.02
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"
#include "common/tensor/safetensors.h"

namespace thinwire {
namespace {

constexpr const char* kCodecs[] = {
    "s1e3m7:none/4096",
    "s1e3m7",
    "s1e3m7/4096",
    "s1e3m7/4096+correction",
    "s1e3m7/4096+weights",
    "s1e3m7/4096+weights+partial=0.1",
    "s1e3m7/4096+truncate",
    "s1e3m7/4096+truncate+correction",
    "s1e4m3:none/4096",
    "s1e4m3/4096+weights",
    "s1e4m3/4096+weights+truncate",
    "s1e4m3/4096+weights+truncate+correction",
    "s1e2m5/4096+weights",
    "s1e2m3:none/4096+weights",
    "s1e2m3",
    "s1e2m3/4096",
    "s1e2m3/4096+weights",
    "s1e2m3/4096+weights+correction",
    "s1e2m3/512+weights",
    "s1e2m3/64+weights",
    "s1e2m3:absmax/4096+weights",
    "s1e2m3:absmax/512+weights",
    "s1e2m3:absmax/64+weights",
    "s1e2m3:absmax/64+weights+partial=0.01",
};

absl::StatusOr<ModelState> LoadSafetensors(const std::string& path) {
  TW_ASSIGN_OR_RETURN(SafetensorsReader reader, SafetensorsReader::Open(path));
  ModelState state(reader.spec());
  for (uint32_t t = 0; t < state.floats.size(); ++t) {
    if (!state.floats[t].empty()) TW_RETURN_IF_ERROR(reader.ReadFloats(t, 0, absl::MakeSpan(state.floats[t])));
    if (!state.ints[t].empty()) TW_RETURN_IF_ERROR(reader.ReadInts(t, 0, absl::MakeSpan(state.ints[t])));
  }
  return state;
}

ModelState OneMatrix(size_t count) {
  const auto rows = static_cast<int64_t>(count / 2);
  return ModelState(*ModelSpec::Create({{"values", {rows, 2}, DataType::kFloat32, TensorRole::kTrainable}}));
}

// The tensors that a flat file of `count` values is made of.
ModelState ShapeOf(const std::string& path, size_t count) {
  const absl::StatusOr<std::string> text = ReadWholeFile(path.substr(0, path.rfind('/') + 1) + "meta.json", 1 << 20);
  const nlohmann::json meta = nlohmann::json::parse(text.value_or(""), nullptr, false);
  if (!meta.is_object() || !meta.contains("shapes")) return OneMatrix(count);
  std::vector<TensorSpec> tensors;
  for (size_t i = 0; i < meta["shapes"].size(); ++i) {
    tensors.push_back({meta["names"][i], meta["shapes"][i], DataType::kFloat32, TensorRole::kTrainable});
  }
  const absl::StatusOr<ModelSpec> spec = ModelSpec::Create(std::move(tensors));
  return spec.ok() && spec->total_count() == count ? ModelState(*spec) : OneMatrix(count);
}

// Version 1 of the format: magic, two bytes of version, two of the header's length, the header, the values.
absl::StatusOr<ModelState> LoadNpy(const std::string& path) {
  const absl::StatusOr<std::string> read = ReadWholeFile(path, uint64_t{1} << 30);
  TW_RETURN_IF_ERROR(read.status());
  const std::string& bytes = *read;
  const size_t start = bytes.size() < 10 ? 0 : 10 + size_t{LoadLittle<uint16_t>(bytes.data() + 8)};
  if (start == 0 || start > bytes.size() || !absl::StrContains(bytes.substr(0, start), "'<f4'")) {
    return absl::InvalidArgumentError(path + " is no .npy file of float32");
  }
  ModelState state = ShapeOf(path, (bytes.size() - start) / sizeof(float));
  const char* next = bytes.data() + start;
  for (std::vector<float>& values : state.floats) {
    std::memcpy(values.data(), next, values.size() * sizeof(float));
    next += values.size() * sizeof(float);
  }
  return state;
}

// Sums of twelve uniform numbers.
ModelState BellShape() {
  ModelState state = OneMatrix(512 * 512);
  RandomStream random(1);
  for (float& value : state.floats[0]) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.NextDouble();
    value = static_cast<float>(0.02 * sum);
  }
  return state;
}

struct Measured {
  double share = 0;   // of the FP32 payload
  double error = 0;   // mean squared error over mean square, of what the codec may touch
  double encode = 0;  // seconds
  double decode = 0;
};

double Seconds(const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

absl::StatusOr<Measured> Measure(const ModelState& state, const CodecSpec& codec, const std::string& path) {
  Measured out;
  ModelStateSource source(state);
  const RowBlockSet exact = DrawRowBlocks(state.spec, codec, 1, 0);
  const EncodeOptions options{Representation::kModel, codec, {}, &exact};
  absl::StatusOr<PayloadRef> ref = absl::InternalError("not encoded");
  out.encode = Seconds([&] { ref = EncodePayload(state.spec, options, source, path); });
  TW_RETURN_IF_ERROR(ref.status());
  TW_ASSIGN_OR_RETURN(const uint64_t fp32, MaxPayloadSize(state.spec, Representation::kModel, CodecSpec::Fp32()));
  out.share = static_cast<double>(ref->total_size) / static_cast<double>(fp32);
  TW_ASSIGN_OR_RETURN(const PayloadReader reader, PayloadReader::Open(path, *ref, state.spec));
  PayloadSource decoded(reader, SegmentCheck::kFrameOnly);
  double squares = 0, errors = 0;
  for (uint32_t t = 0; t < state.floats.size(); ++t) {
    const std::vector<float>& values = state.floats[t];
    if (state.spec.tensors()[t].role != TensorRole::kTrainable || values.empty()) continue;
    std::vector<float> got(values.size());
    absl::Status status;
    out.decode += Seconds([&] { status = decoded.ReadFloats(t, 0, absl::MakeSpan(got)); });
    TW_RETURN_IF_ERROR(status);
    for (size_t i = 0; i < values.size(); ++i) {
      squares += static_cast<double>(values[i]) * values[i];
      errors += (static_cast<double>(values[i]) - got[i]) * (static_cast<double>(values[i]) - got[i]);
    }
  }
  out.error = squares > 0 ? errors / squares : 0;
  return out;
}

absl::Status Table(const std::string& name, const ModelState& state) {
  const std::string path = absl::StrCat(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp", "/omc_codec_bench.",
                                        KeyWord(name), ".payload");
  const double megabytes = 4e-6 * static_cast<double>(state.spec.total_count());
  std::cout << absl::StrFormat("%s: %d values\n\n", name, state.spec.total_count());
  std::cout << "| codec | payload, % of FP32 | mean squared error | encode, MB/s | decode, MB/s |\n"
               "| --- | --- | --- | --- | --- |\n";
  for (const char* text : kCodecs) {
    TW_ASSIGN_OR_RETURN(const CodecSpec codec, CodecSpec::Parse(text));
    TW_ASSIGN_OR_RETURN(const Measured measured, Measure(state, codec, path));
    std::cout << absl::StrFormat("| %s | %.2f | %.2e | %.0f | %.0f |\n", text, 100 * measured.share, measured.error,
                                 megabytes / measured.encode, megabytes / measured.decode);
  }
  std::cout << "\n";
  return RemoveFile(path);
}

absl::Status Run(const std::vector<std::string>& files) {
  if (files.empty()) return Table("bell shape, deviation 0.02", BellShape());
  for (const std::string& file : files) {
    TW_ASSIGN_OR_RETURN(const ModelState state, absl::EndsWith(file, ".npy") ? LoadNpy(file) : LoadSafetensors(file));
    TW_RETURN_IF_ERROR(Table(file, state));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  const absl::Status status = thinwire::Run(std::vector<std::string>(argv + 1, argv + argc));
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
