// Bits against error of the rate-distortion-optimised update codec on real updates, and its speed.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/rdu/update_codec.h"
#include "tests/unit/rdu/page_decoder.h"

namespace thinwire {
namespace {

constexpr const char* kHelp =
    R"(rdu_bench FOLDER [--errors=0.5,0.2,0.1,0.05] [--budgets=0.005,0.05,0.5] [--only=NAME] [--profile=fast]
     [--ideal]
rdu_bench [--fast-values=16777216]

FOLDER holds updates as flat .npy files of float32 and a meta.json whose "shapes" cut them into tensors.
Prints, as markdown: bits per parameter at each relative squared error |x - y|^2 / |x|^2 (the step is searched); then what
each budget in bits per parameter comes to, with speeds in million values per second of user CPU time, one thread.
--ideal: each budget's bytes also against the ideal code length of the model's probabilities, by the plain decoder of the
tests, which takes some seconds for each.
The second form needs no folder: the fast profile on so many heavy-tailed random numbers, 1 % of which are sent,
beside memcpy.
)";

struct Update {
  std::string name;
  std::vector<float> values;
  std::vector<std::vector<uint64_t>> shapes;

  std::vector<UpdateTensor> Tensors() const {
    std::vector<UpdateTensor> tensors;
    size_t first = 0;
    for (const auto& shape : shapes) {
      size_t size = 1;
      for (const uint64_t d : shape) size *= static_cast<size_t>(d);
      tensors.push_back({absl::MakeConstSpan(values).subspan(first, size), shape});
      first += size;
    }
    return tensors;
  }
};

absl::StatusOr<std::vector<float>> ReadNpy(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(path, size_t{1} << 32));
  if (bytes.size() < 10) return absl::InvalidArgumentError(absl::StrCat(path, " is no .npy file"));
  const size_t start = 10 + static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]);
  if (start > bytes.size()) return absl::InvalidArgumentError(absl::StrCat(path, " is cut short"));
  std::vector<float> values((bytes.size() - start) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + start, values.size() * sizeof(float));
  return values;
}

absl::StatusOr<std::vector<Update>> ReadFolder(const std::string& folder, const std::string& only) {
  TW_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(folder + "/meta.json", 1 << 20));
  const nlohmann::json meta = nlohmann::json::parse(text, nullptr, false);
  if (!meta.is_object() || !meta.contains("shapes")) {
    return absl::InvalidArgumentError(absl::StrCat(folder, "/meta.json has no \"shapes\""));
  }
  std::vector<Update> updates;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".npy" || name.find(only) == std::string::npos) continue;
    TW_ASSIGN_OR_RETURN(std::vector<float> values, ReadNpy(entry.path().string()));
    updates.push_back({name, std::move(values), meta["shapes"].get<std::vector<std::vector<uint64_t>>>()});
  }
  std::sort(updates.begin(), updates.end(), [](const Update& a, const Update& b) { return a.name < b.name; });
  return updates;
}

double UserSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + 1e-6 * static_cast<double>(usage.ru_utime.tv_usec);
}

// |x - y|^2 / |x|^2 of the decoded update.
absl::StatusOr<double> RelativeError(const Update& update, const std::string& bytes, double* seconds) {
  double error = 0, energy = 0;
  TW_ASSIGN_OR_RETURN(UpdateDecoder decoder, UpdateDecoder::Create(bytes));
  *seconds = 0;
  const std::vector<UpdateTensor> tensors = update.Tensors();
  std::vector<uint64_t> sizes;
  for (const UpdateTensor& tensor : tensors) sizes.push_back(tensor.values.size());
  for (const size_t t : CodingOrder(sizes)) {
    const UpdateTensor& tensor = tensors[t];
    std::vector<float> out(tensor.values.size());
    const double start = UserSeconds();
    TW_RETURN_IF_ERROR(decoder.Next(tensor.dimensions, absl::MakeSpan(out)));
    *seconds += UserSeconds() - start;
    for (size_t i = 0; i < out.size(); ++i) {
      const double x = tensor.values[i], d = x - out[i];
      error += d * d;
      energy += x * x;
    }
  }
  TW_RETURN_IF_ERROR(decoder.Finish());
  return error / energy;
}

struct Point {
  double bits, error;  // per parameter; relative, squared
};

absl::StatusOr<Point> AtStep(const Update& update, double step) {
  const std::vector<UpdateTensor> tensors = update.Tensors();
  TW_ASSIGN_OR_RETURN(const std::string bytes, EncodeUpdateAtStep(tensors, step, 32, nullptr));
  double seconds;
  TW_ASSIGN_OR_RETURN(const double error, RelativeError(update, bytes, &seconds));
  return Point{8.0 * static_cast<double>(bytes.size()) / static_cast<double>(update.values.size()), error};
}

// Bits at a relative squared error: the step is searched by secants, the last stretch interpolated.
absl::StatusOr<double> BitsAtError(const Update& update, double target) {
  double energy = 0;
  for (const float x : update.values) energy += static_cast<double>(x) * x;
  double step = 3.3 * std::sqrt(energy * target / static_cast<double>(update.values.size()));
  TW_ASSIGN_OR_RETURN(Point before, AtStep(update, step));
  double slope = -1;  // of log bits over log error
  for (int i = 0; i < 6 && std::fabs(std::log(before.error / target)) > 0.01; ++i) {
    step *= std::pow(target / before.error, 0.6);
    TW_ASSIGN_OR_RETURN(const Point next, AtStep(update, step));
    if (next.error != before.error) slope = std::log(next.bits / before.bits) / std::log(next.error / before.error);
    before = next;
  }
  return before.bits * std::pow(target / before.error, std::clamp(slope, -2.0, -0.2));
}

absl::Status ErrorTable(const std::vector<Update>& updates, const std::vector<double>& errors) {
  std::cout << "bits per parameter at a relative squared error\n\n| update |";
  for (const double e : errors) std::cout << " " << e << " |";
  std::cout << "\n|---|" << absl::StrJoin(std::vector<std::string>(errors.size(), "---|"), "") << "\n";
  std::vector<double> logs(errors.size());
  for (const Update& update : updates) {
    std::cout << "| " << update.name << " |";
    for (size_t i = 0; i < errors.size(); ++i) {
      TW_ASSIGN_OR_RETURN(const double bits, BitsAtError(update, errors[i]));
      logs[i] += std::log(bits);
      std::cout << absl::StrFormat(" %.4f |", bits) << std::flush;
    }
    std::cout << "\n";
  }
  std::cout << "| geometric mean |";
  for (const double sum : logs)
    std::cout << absl::StrFormat(" %.4f |", std::exp(sum / static_cast<double>(updates.size())));
  std::cout << "\n";
  return absl::OkStatus();
}

absl::Status BudgetTable(const std::vector<Update>& updates, const std::vector<double>& budgets,
                         UpdateProfile profile) {
  std::cout << "\n| update | budget | bytes | unused | error | ranks | trials | encode | decode |\n"
               "|---|---|---|---|---|---|---|---|---|\n";
  for (const Update& update : updates) {
    for (const double budget : budgets) {
      const double values = static_cast<double>(update.values.size());
      const auto bits = static_cast<uint64_t>(budget * values);
      UpdateReport report;
      const double start = UserSeconds();
      TW_ASSIGN_OR_RETURN(const std::string bytes, EncodeUpdate(update.Tensors(), bits, &report, {profile}));
      const double encode = UserSeconds() - start;
      double decode;
      TW_ASSIGN_OR_RETURN(const double error, RelativeError(update, bytes, &decode));
      std::cout << absl::StrFormat("| %s | %g | %d | %d | %.5f | %s | %d | %.2f | %.2f |\n", update.name, budget,
                                   bytes.size(), bits / 8 - bytes.size(), error, absl::StrJoin(report.rank, " "),
                                   report.trials, values / encode * 1e-6, values / decode * 1e-6);
    }
  }
  return absl::OkStatus();
}

absl::Status IdealTable(const std::vector<Update>& updates, const std::vector<double>& budgets) {
  std::cout << "\n| update | budget | bytes | ideal code length, bytes | over it |\n|---|---|---|---|---|\n";
  for (const Update& update : updates) {
    for (const double budget : budgets) {
      const auto bits = static_cast<uint64_t>(budget * static_cast<double>(update.values.size()));
      TW_ASSIGN_OR_RETURN(const std::string bytes, EncodeUpdate(update.Tensors(), bits, nullptr));
      const double ideal = DecodeByThePage(bytes, update.shapes).ideal_bits / 8;
      std::cout << absl::StrFormat("| %s | %g | %d | %.0f | %.3f %% |\n", update.name, budget, bytes.size(), ideal,
                                   100 * (static_cast<double>(bytes.size()) / ideal - 1))
                << std::flush;
    }
  }
  return absl::OkStatus();
}

// CPU time, system's included: pages that are touched first count on either side.
double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

absl::Status FastTable(size_t count) {
  RandomStream random(1);
  std::vector<float> values(count), out(count);
  for (float& v : values) v = static_cast<float>(std::pow(random.NextDouble() - 0.5, 7));
  const std::vector<uint64_t> dimensions = {count};
  const UpdateTensor tensor{values, dimensions};
  const auto bits = static_cast<uint64_t>(0.088 * static_cast<double>(count));
  std::cout << "| memcpy, ms | encode, ms | of memcpy | decode, ms | of memcpy | bytes | sent "
               "|\n|---|---|---|---|---|---|---|\n";
  for (int round = 0; round < 5; ++round) {
    const double start = CpuSeconds();
    std::memcpy(out.data(), values.data(), count * sizeof(float));
    const double copied = CpuSeconds();
    TW_ASSIGN_OR_RETURN(const std::string bytes, EncodeUpdate({tensor}, bits, nullptr, {UpdateProfile::kFast}));
    const double encoded = CpuSeconds();
    TW_ASSIGN_OR_RETURN(UpdateDecoder decoder, UpdateDecoder::Create(bytes));
    TW_RETURN_IF_ERROR(decoder.Next(dimensions, absl::MakeSpan(out)));
    const double decoded = CpuSeconds();
    TW_RETURN_IF_ERROR(decoder.Finish());
    const double copy = copied - start, encode = encoded - copied, decode = decoded - encoded;
    const double sent = static_cast<double>(count) - static_cast<double>(std::count(out.begin(), out.end(), 0.0f));
    std::cout << absl::StrFormat("| %.1f | %.1f | %.2fx | %.1f | %.2fx | %d | %.2f %% |\n", 1e3 * copy, 1e3 * encode,
                                 copy / encode, 1e3 * decode, copy / decode, bytes.size(),
                                 100 * sent / static_cast<double>(count));
  }
  return absl::OkStatus();
}

constexpr size_t kFastValues = size_t{1} << 24;

absl::Status WithoutFolder() {
  std::cout << "the fast profile on " << kFastValues
            << " heavy-tailed random numbers (a FOLDER of updates adds bits at each error, errors and speeds at each "
               "budget: --help)\n\n";
  return FastTable(kFastValues);
}

std::vector<double> Numbers(const std::string& text) {
  std::vector<double> numbers;
  for (const auto& part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    double x;
    if (absl::SimpleAtod(part, &x)) numbers.push_back(x);
  }
  return numbers;
}

absl::Status Run(int argc, char** argv) {
  std::string folder, only;
  bool ideal = false;
  UpdateProfile profile = UpdateProfile::kBest;
  std::vector<double> errors = {0.5, 0.2, 0.1, 0.05}, budgets = {0.005, 0.05, 0.5};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::string value = argument.substr(std::min(argument.find('=') + 1, argument.size()));
    if (argument.rfind("--errors=", 0) == 0) {
      errors = Numbers(value);
    } else if (argument.rfind("--budgets=", 0) == 0) {
      budgets = Numbers(value);
    } else if (argument.rfind("--fast-values=", 0) == 0) {
      return FastTable(std::strtoull(value.c_str(), nullptr, 10));
    } else if (argument == "--ideal") {
      ideal = true;
    } else if (argument == "--profile=fast") {
      profile = UpdateProfile::kFast;
    } else if (argument.rfind("--only=", 0) == 0) {
      only = value;
    } else if (argument.rfind("-", 0) == 0 || !folder.empty()) {
      std::cout << kHelp;
      return argument == "--help" ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("what is ", argument));
    } else {
      folder = argument;
    }
  }
  if (argc == 1) return WithoutFolder();
  if (folder.empty()) return absl::InvalidArgumentError("these options are for a FOLDER; --help says more");
  TW_ASSIGN_OR_RETURN(const std::vector<Update> updates, ReadFolder(folder, only));
  if (!errors.empty()) TW_RETURN_IF_ERROR(ErrorTable(updates, errors));
  if (ideal) return IdealTable(updates, budgets);
  return BudgetTable(updates, budgets, profile);
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  const absl::Status status = thinwire::Run(argc, argv);
  if (!status.ok()) std::cerr << "rdu_bench: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
