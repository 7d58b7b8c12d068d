// thinwire-update-rates: real updates through one update codec at several budgets. One codec in one process, so that
// tests/experiments/rate.py keeps each; prints one JSON object.
//
// FOLDER holds updates as one-dimensional float32 .npy files and meta.json, which has the tensors' "shapes" in order.
// Rates are of the coded string, with all side information; a payload adds its manifest and headers.
#include <time.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/daemon/command_line.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/codec/update_plan.h"
#include "common/quantize/update.h"
#include "common/tensor/model_spec.h"
#include "common/update/update_coder.h"

namespace thinwire {
namespace {

const std::vector<double> kExponents = {0, 1, 2, 4};  // M of |x|^M (x - y)^2

struct Flags {
  std::string updates, codec;
  std::string rates = "0.05,0.5";
  bool help = false;
};

// The values of a one-dimensional little-endian float32 array, version 1 of the format.
absl::StatusOr<std::vector<float>> ReadNpy(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(path, uint64_t{1} << 32));
  if (bytes.size() < 10 || !absl::StartsWith(bytes, "\x93NUMPY\x01") || !absl::StrContains(bytes, "'<f4'")) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is no .npy file of version 1 with float32 values"));
  }
  const size_t start = std::min<size_t>(10 + LoadLittle<uint16_t>(bytes.data() + 8), bytes.size());
  std::vector<float> values((bytes.size() - start) / sizeof(float));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = FloatFromBits(LoadLittle<uint32_t>(bytes.data() + start + 4 * i));
  }
  return values;
}

absl::StatusOr<ModelSpec> ReadModel(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, 1 << 24));
  const nlohmann::json meta = nlohmann::json::parse(text, nullptr, false);
  if (meta.is_discarded() || !meta.contains("shapes") || !meta["shapes"].is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no list \"shapes\""));
  }
  std::vector<TensorSpec> tensors;
  for (const nlohmann::json& shape : meta["shapes"]) {
    std::vector<int64_t> dimensions;
    for (const nlohmann::json& dimension : shape) dimensions.push_back(dimension.is_number() ? int64_t(dimension) : -1);
    tensors.push_back({absl::StrCat("tensor", tensors.size()), dimensions, DataType::kFloat32, TensorRole::kTrainable});
  }
  return ModelSpec::Create(std::move(tensors));
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename Value>
std::vector<absl::Span<const float>> Tensors(const UpdateLayout& layout, const Value& values) {
  std::vector<absl::Span<const float>> tensors;
  for (const auto& tensor : layout.tensors()) {
    tensors.push_back(absl::MakeConstSpan(values).subspan(tensor.first, tensor.count));
  }
  return tensors;
}

// Nothing if the codec has no string that short.
absl::StatusOr<nlohmann::json> Measure(const UpdatePlan& plan, const UpdateLayout& layout,
                                       const std::vector<float>& values, double rate) {
  const auto size = static_cast<double>(values.size());
  const auto most = static_cast<uint64_t>(rate * size / 8);
  if (most < LeastUpdateBytes(plan, layout)) return nlohmann::json();
  const double start = ThreadSeconds();
  TW_ASSIGN_OR_RETURN(const std::string bytes, CodeUpdate(plan, layout, values, most, /*seed=*/1));
  const double coded = ThreadSeconds();
  if (bytes.size() > most) return absl::InternalError(absl::StrCat(plan.MethodName(), " is over its budget"));
  std::vector<float> decoded(values.size());
  TW_RETURN_IF_ERROR(
      DecodeUpdateString(plan.codec(), bytes, layout, [&](const UpdateLayout::Tensor& tensor, absl::Span<float> its) {
        std::copy(its.begin(), its.end(), decoded.begin() + static_cast<ptrdiff_t>(tensor.first));
        return absl::OkStatus();
      }));
  const double end = ThreadSeconds();
  return nlohmann::json{
      {"asked", rate},
      {"rate", 8 * static_cast<double>(bytes.size()) / size},
      {"distortion", RelativeDistortion(Tensors(layout, values), Tensors(layout, decoded), kExponents)},
      {"encode_seconds", coded - start},
      {"decode_seconds", end - coded}};
}

absl::StatusOr<nlohmann::json> MeasureUpdate(const UpdatePlan& plan, const UpdateLayout& layout,
                                             const std::string& path, const std::vector<std::string>& rates) {
  TW_ASSIGN_OR_RETURN(const std::vector<float> values, ReadNpy(path));
  if (values.size() != layout.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", values.size(), " values, the shapes in meta.json ", layout.size()));
  }
  nlohmann::json points = nlohmann::json::array();
  for (const std::string& rate : rates) {
    TW_ASSIGN_OR_RETURN(const nlohmann::json point, Measure(plan, layout, values, std::stod(rate)));
    if (!point.is_null()) points.push_back(point);
  }
  return points;
}

absl::StatusOr<nlohmann::json> Run(const Flags& flags) {
  TW_ASSIGN_OR_RETURN(const UpdatePlan plan, UpdatePlan::Parse(flags.codec));
  TW_ASSIGN_OR_RETURN(const ModelSpec model, ReadModel(JoinPath(flags.updates, "meta.json")));
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(flags.updates));
  nlohmann::json updates = nlohmann::json::object();
  for (const std::string& name : names) {
    absl::string_view stem = name;
    if (!absl::ConsumeSuffix(&stem, ".npy")) continue;
    TW_ASSIGN_OR_RETURN(
        updates[std::string(stem)],
        MeasureUpdate(plan, UpdateLayout(model), JoinPath(flags.updates, name), absl::StrSplit(flags.rates, ',')));
  }
  if (updates.empty()) return absl::NotFoundError(absl::StrCat("no .npy files in ", flags.updates));
  return nlohmann::json{{"codec", plan.MethodName()},
                        {"exponents", kExponents},
                        {"parameters", model.total_count()},
                        {"updates", updates}};
}

int Main(const std::vector<std::string>& arguments) {
  Flags flags;
  const std::vector<CommandLineFlag> all = {
      {"--updates", "FOLDER", &flags.updates, ".npy files and meta.json (required)"},
      {"--codec", "CODEC", &flags.codec, "as in a plan, such as rdu:bits=1; its budget is not used (required)"},
      {"--rates", "LIST", &flags.rates, "budgets in bits a parameter"},
      {"--help", "", &flags.help, "prints this"}};
  const absl::Status read = ReadCommandLine(arguments, all);
  if (flags.help) {
    std::cout << "Usage: thinwire-update-rates --updates FOLDER --codec CODEC\n\n" << DescribeFlags(all);
    return 0;
  }
  const absl::StatusOr<nlohmann::json> result = read.ok() ? Run(flags) : read;
  if (!result.ok()) {
    std::cerr << "thinwire-update-rates: " << result.status().message() << "\n";
    return 2;
  }
  std::cout << result->dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) { return thinwire::Main({argv + 1, argv + argc}); }
