// What the quantisers of common/quantize make of real updates: bits per parameter against the relative error of M22's
// distortion at M = 0, 1, 2 and 4, real bytes with all side information.
//
//   quantize_bench --updates FOLDER [--only UPDATE,UPDATE] [--filter TEXT] [--table rates|times]
//
// FOLDER holds updates as one-dimensional float32 .npy files and meta.json, which has the tensors' "shapes" in order.
// --only: the updates whose names hold one of these texts. --filter: the quantisers whose names hold this text.
//   rates   (the default) relative error at M = 0, or dB at M > 0, for 0.05 to 3 bits per parameter, on the lower
//           convex hull of (rate, log distortion) over each quantiser's settings (R for the top-K ones), by metric and
//           rate; then bits per parameter for relative error 0.5 to 0.05, on the same hull; then the best setting and
//           its error at M = 0 at each rate
//   times   encoding and decoding, in thread time
// Relative error: |x - y|^2 / |x|^2, the square of the ratio of norms. Means over updates are geometric.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/bytes.h"
#include "common/base/file.h"
#include "common/quantize/quantizer.h"
#include "nlohmann/json.hpp"

namespace thinwire {
namespace {

const std::vector<double> kExponents = {0, 1, 2, 4};
const std::vector<double> kRates = {0.05, 0.1, 0.25, 0.5, 1, 2, 3};
// Measured; those of kRates are among them.
const std::vector<double> kGrid = {0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1, 1.5, 2, 3};
const std::vector<double> kErrors = {0.5, 0.2, 0.1, 0.05};

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "quantize_bench: %s\n", what.c_str());
  std::exit(1);
}

struct Update {
  std::string name;
  std::vector<float> values;
  std::vector<absl::Span<const float>> tensors;
};

// The values of a one-dimensional little-endian float32 array, version 1 of the format.
std::vector<float> ReadNpy(const std::string& path) {
  absl::StatusOr<std::string> file = ReadWholeFile(path, uint64_t{1} << 32);
  if (!file.ok()) Die(file.status().ToString());
  const absl::string_view bytes = *file;
  if (bytes.size() < 10 || !absl::StartsWith(bytes, "\x93NUMPY\x01") || !absl::StrContains(bytes, "'<f4'")) {
    Die(absl::StrCat(path, " is no .npy file of version 1 with float32 values"));
  }
  const size_t start = 10 + LoadLittle<uint16_t>(bytes.data() + 8);
  std::vector<float> values((bytes.size() - std::min(start, bytes.size())) / 4);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = FloatFromBits(LoadLittle<uint32_t>(bytes.data() + start + 4 * i));
  }
  return values;
}

std::vector<uint64_t> ReadSizes(const std::string& path) {
  absl::StatusOr<std::string> file = ReadWholeFile(path, 1 << 24);
  if (!file.ok()) Die(file.status().ToString());
  const nlohmann::json meta = nlohmann::json::parse(*file, nullptr, false);
  if (meta.is_discarded() || !meta.contains("shapes")) Die(absl::StrCat(path, " has no \"shapes\""));
  std::vector<uint64_t> sizes;
  for (const auto& shape : meta["shapes"]) {
    sizes.push_back(1);
    for (const auto& dimension : shape) sizes.back() *= dimension.get<uint64_t>();
  }
  return sizes;
}

std::vector<Update> ReadUpdates(const std::string& folder, const std::vector<std::string>& only) {
  const std::vector<uint64_t> sizes = ReadSizes(JoinPath(folder, "meta.json"));
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(folder);
  if (!names.ok()) Die(names.status().ToString());
  std::vector<Update> updates;
  for (const std::string& name : *names) {
    const auto is_in_name = [&name](const std::string& text) { return absl::StrContains(name, text); };
    if (!absl::EndsWith(name, ".npy") || std::none_of(only.begin(), only.end(), is_in_name)) continue;
    updates.push_back({name, ReadNpy(JoinPath(folder, name)), {}});
  }
  for (Update& update : updates) {
    size_t at = 0;
    for (const uint64_t size : sizes) {
      if (at + size > update.values.size()) Die(absl::StrCat(update.name, " is shorter than meta.json says"));
      update.tensors.push_back(absl::MakeConstSpan(update.values).subspan(at, size));
      at += size;
    }
    if (at != update.values.size()) Die(absl::StrCat(update.name, " is longer than meta.json says"));
  }
  if (updates.empty()) Die(absl::StrCat("no .npy files in ", folder));
  return updates;
}

// A quantiser with what may be chosen for each rate.
struct Family {
  std::string name;
  std::vector<QuantizerSpec> settings;
};

std::vector<QuantizerSpec> EachWidth(QuantizerSpec spec, int most) {
  std::vector<QuantizerSpec> settings;
  for (spec.values.bits = 1; spec.values.bits <= most; ++spec.values.bits) settings.push_back(spec);
  return settings;
}

std::vector<Family> Families() {
  constexpr auto kNormal = DensityFamily::kGeneralisedNormal;
  constexpr auto kWeibull = DensityFamily::kDoubleWeibull;
  std::vector<Family> families;
  families.push_back({"top-k uniform", EachWidth(QuantizerSpec::Uniform(1), 6)});
  families.push_back({"top-k fp8 1-5-2", {QuantizerSpec::Float(5, 2)}});
  families.push_back({"top-k fp8 1-4-3", {QuantizerSpec::Float(4, 3)}});
  families.push_back({"top-k fp4 1-2-1", {QuantizerSpec::Float(2, 1)}});
  families.push_back({"tinyscript", EachWidth(QuantizerSpec::TinyScript(1), 6)});
  for (const double exponent : kExponents) {
    families.push_back(
        {absl::StrCat("m22 gennorm M=", exponent), EachWidth(QuantizerSpec::Lloyd(kNormal, exponent, 1), 6)});
    if (exponent == 0) continue;
    families.push_back(
        {absl::StrCat("m22 weibull M=", exponent), EachWidth(QuantizerSpec::Lloyd(kWeibull, exponent, 1), 6)});
  }
  families.push_back({"sign", {QuantizerSpec::Sign()}});
  families.push_back({"qsgd", {QuantizerSpec::Qsgd(0)}});
  families.push_back({"qsgd 512", {QuantizerSpec::Qsgd(512)}});
  families.push_back({"eden biased", {QuantizerSpec::Rotated(false)}});
  families.push_back({"eden unbiased", {QuantizerSpec::Rotated(true)}});
  return families;
}

struct Point {
  double budget = 0;               // bits per parameter that were allowed
  double rate = 0;                 // bits per parameter, of the whole string
  std::vector<double> distortion;  // by kExponents, relative
};

// False if the budget is below what the quantiser takes at least.
bool Measure(const QuantizerSpec& spec, const Update& update, double rate, Point* point) {
  QuantizeOptions options;
  options.budget_bits = static_cast<uint64_t>(rate * static_cast<double>(update.values.size()));
  options.seed = 1;
  const absl::StatusOr<std::string> bytes = QuantizeUpdate(spec, update.tensors, options);
  if (!bytes.ok()) return false;
  if (8 * bytes->size() > options.budget_bits) Die(absl::StrCat(spec.Name(), " is over its budget"));
  std::vector<float> values(update.values.size());
  std::vector<absl::Span<float>> tensors;
  size_t at = 0;
  for (const auto& tensor : update.tensors) {
    tensors.push_back(absl::MakeSpan(values).subspan(at, tensor.size()));
    at += tensor.size();
  }
  const absl::Status decoded = DequantizeUpdate(*bytes, tensors);
  if (!decoded.ok()) Die(decoded.ToString());
  const std::vector<absl::Span<const float>> views(tensors.begin(), tensors.end());
  point->budget = rate;
  point->rate = 8.0 * static_cast<double>(bytes->size()) / static_cast<double>(values.size());
  point->distortion = RelativeDistortion(update.tensors, views, kExponents);
  return true;
}

// By setting, update and rate; a setting that has no code at a rate has no point there.
using Points = std::vector<std::vector<std::vector<Point>>>;

Points MeasureAll(const Family& family, const std::vector<Update>& updates, const std::vector<double>& rates) {
  Points points;
  for (const QuantizerSpec& spec : family.settings) {
    points.emplace_back();
    for (const Update& update : updates) {
      points.back().emplace_back();
      for (const double rate : rates) {
        Point point;
        if (Measure(spec, update, rate, &point)) points.back().back().push_back(point);
      }
    }
  }
  return points;
}

// The lower convex hull of (rate, ln distortion) through all settings of one update, at `rate`; false beyond its ends.
struct Hull {
  std::vector<std::pair<double, double>> corners;

  Hull(const Points& points, size_t update, size_t exponent) {
    std::vector<std::pair<double, double>> all;
    for (const auto& setting : points) {
      for (const Point& point : setting[update]) {
        if (point.distortion[exponent] > 0) all.emplace_back(point.rate, std::log(point.distortion[exponent]));
      }
    }
    std::sort(all.begin(), all.end());
    for (const auto& point : all) {
      while (corners.size() >= 2 && Turn(corners[corners.size() - 2], corners.back(), point) <= 0) corners.pop_back();
      corners.push_back(point);
    }
    // Only what falls: a higher rate with a larger error is nobody's choice.
    while (corners.size() >= 2 && corners.back().second >= corners[corners.size() - 2].second) corners.pop_back();
  }
  static double Turn(std::pair<double, double> a, std::pair<double, double> b, std::pair<double, double> c) {
    return (b.first - a.first) * (c.second - a.second) - (c.first - a.first) * (b.second - a.second);
  }
  bool At(double rate, double* log_distortion) const {
    if (corners.empty() || rate < corners.front().first * 0.98) return false;
    for (size_t i = 0; i + 1 < corners.size(); ++i) {
      if (rate > corners[i + 1].first) continue;
      const double share = (rate - corners[i].first) / (corners[i + 1].first - corners[i].first);
      *log_distortion = corners[i].second + std::max(share, 0.0) * (corners[i + 1].second - corners[i].second);
      return true;
    }
    *log_distortion = corners.back().second;
    return rate <= corners.back().first * 1.02 || corners.size() > 1;
  }
  bool RateFor(double log_distortion, double* rate) const {
    for (size_t i = 0; i + 1 < corners.size(); ++i) {
      if (log_distortion > corners[i].second || log_distortion < corners[i + 1].second) continue;
      const double share = (log_distortion - corners[i].second) / (corners[i + 1].second - corners[i].second);
      *rate = corners[i].first + share * (corners[i + 1].first - corners[i].first);
      return true;
    }
    return false;
  }
};

// Prints a cell, or a dash if some update has none.
void PrintCell(const char* format, const std::vector<double>& logs, size_t updates, bool decibel) {
  if (logs.size() < updates) {
    std::printf(" | -");
    return;
  }
  double sum = 0;
  for (const double log : logs) sum += log / static_cast<double>(logs.size());
  std::printf(format, decibel ? -10 / std::log(10.0) * sum : std::exp(sum));
}

void PrintRates(const std::vector<std::pair<Family, Points>>& measured, size_t updates) {
  for (size_t e = 0; e < kExponents.size(); ++e) {
    std::printf("\nM = %g, %s at bits per parameter\n\n| quantiser |", kExponents[e],
                kExponents[e] == 0 ? "relative error" : "dB below the update");
    for (const double rate : kRates) std::printf(" %g |", rate);
    std::printf("\n| --- |");
    for (size_t i = 0; i < kRates.size(); ++i) std::printf(" --- |");
    std::printf("\n");
    for (const auto& [family, points] : measured) {
      std::printf("| %s", family.name.c_str());
      for (const double rate : kRates) {
        std::vector<double> logs;
        for (size_t u = 0; u < updates; ++u) {
          double log = 0;
          if (Hull(points, u, e).At(rate, &log)) logs.push_back(log);
        }
        PrintCell(kExponents[e] == 0 ? " | %.4f" : " | %.1f", logs, updates, kExponents[e] != 0);
      }
      std::printf(" |\n");
    }
  }
}

void PrintErrors(const std::vector<std::pair<Family, Points>>& measured, size_t updates) {
  std::printf("\nBits per parameter at relative error (M = 0)\n\n| quantiser |");
  for (const double error : kErrors) std::printf(" %g |", error);
  std::printf("\n| --- | --- | --- | --- | --- |\n");
  for (const auto& [family, points] : measured) {
    std::printf("| %s", family.name.c_str());
    for (const double error : kErrors) {
      std::vector<double> logs;
      for (size_t u = 0; u < updates; ++u) {
        double rate = 0;
        if (Hull(points, u, 0).RateFor(std::log(error), &rate)) logs.push_back(std::log(rate));
      }
      PrintCell(" | %.3f", logs, updates, false);
    }
    std::printf(" |\n");
  }
}

// The setting of least error at M = 0 at each rate: geometric means over updates, no hull.
void PrintBest(const std::vector<std::pair<Family, Points>>& measured, size_t updates) {
  std::printf("\nBest setting by itself (M = 0)\n\n");
  for (const auto& [family, points] : measured) {
    std::printf("%-20s", family.name.c_str());
    for (const double rate : kRates) {
      double best = 1e300;
      std::string name = "-";
      for (size_t s = 0; s < family.settings.size(); ++s) {
        double log = 0;
        size_t found = 0;
        for (size_t u = 0; u < updates; ++u) {
          for (const Point& point : points[s][u]) {
            if (point.budget != rate) continue;
            log += std::log(point.distortion[0]) / static_cast<double>(updates);
            ++found;
          }
        }
        if (found < updates || log >= best) continue;
        best = log;
        name = absl::StrCat(family.settings[s].values.bits == 0 ? 0 : family.settings[s].values.bits, ":");
      }
      best < 1e300 ? std::printf(" %s%.4f", name.c_str(), std::exp(best)) : std::printf(" -");
    }
    std::printf("\n");
  }
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void PrintTimes(const Family& family, const Update& update) {
  const QuantizerSpec& spec = family.settings[std::min<size_t>(2, family.settings.size() - 1)];
  for (const double rate : {0.1, 1.0, 2.0}) {
    QuantizeOptions options;
    options.budget_bits = static_cast<uint64_t>(rate * static_cast<double>(update.values.size()));
    const double start = ThreadSeconds();
    const absl::StatusOr<std::string> bytes = QuantizeUpdate(spec, update.tensors, options);
    const double encoded = ThreadSeconds();
    if (!bytes.ok()) continue;
    std::vector<float> values(update.values.size());
    std::vector<absl::Span<float>> tensors;
    size_t at = 0;
    for (const auto& tensor : update.tensors) {
      tensors.push_back(absl::MakeSpan(values).subspan(at, tensor.size()));
      at += tensor.size();
    }
    const absl::Status status = DequantizeUpdate(*bytes, tensors);
    if (!status.ok()) Die(status.ToString());
    const double count = static_cast<double>(values.size()) * 1e-6;
    std::printf("| %s | %g | %.1f | %.1f |\n", spec.Name().c_str(), rate, count / (encoded - start),
                count / (ThreadSeconds() - encoded));
  }
}

struct Options {
  std::string updates, only, filter, table = "rates";
};

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const absl::string_view name = argv[i];
    std::string* const value = name == "--updates"  ? &options.updates
                               : name == "--only"   ? &options.only
                               : name == "--filter" ? &options.filter
                               : name == "--table"  ? &options.table
                                                    : nullptr;
    if (value == nullptr) Die(absl::StrCat("unknown flag ", name));
    *value = argv[i + 1];
  }
  if (options.updates.empty()) Die("--updates FOLDER is needed");
  return options;
}

void Run(const Options& options) {
  const std::vector<Update> updates = ReadUpdates(options.updates, absl::StrSplit(options.only, ','));
  std::vector<std::pair<Family, Points>> measured;
  const bool times = options.table == "times";
  if (times) std::printf("| quantiser | bits | encode M/s | decode M/s |\n| --- | --- | --- | --- |\n");
  for (const Family& family : Families()) {
    if (!absl::StrContains(family.name, options.filter)) continue;
    if (times) {
      PrintTimes(family, updates.front());
      continue;
    }
    measured.emplace_back(family, MeasureAll(family, updates, kGrid));
    std::fprintf(stderr, "%s\n", family.name.c_str());
  }
  if (times) return;
  PrintRates(measured, updates.size());
  PrintErrors(measured, updates.size());
  PrintBest(measured, updates.size());
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  thinwire::Run(thinwire::Parse(argc, argv));
  return 0;
}
