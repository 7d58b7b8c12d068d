#include "client/speech/log_mel.h"

#include <kissfft/kiss_fftr.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kLeastEnergy = 1e-10;
constexpr uint32_t kMaxRate = 1'000'000, kMaxFft = 1u << 16, kMaxFilters = 1024;

double MelOf(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double HertzOf(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

absl::Status Refuse(const std::string& what) { return absl::InvalidArgumentError(absl::StrCat("log-mel: ", what)); }

uint32_t SamplesOf(double seconds, uint32_t rate) { return static_cast<uint32_t>(std::lround(seconds * rate)); }

// Fills in what is 0 and checks the rest. The comparisons are written so that NaN fails them.
absl::StatusOr<LogMelOptions> Complete(LogMelOptions options) {
  if (options.sample_rate == 0 || options.sample_rate > kMaxRate) {
    return Refuse(absl::StrCat("sample rate ", options.sample_rate, ", it must lie in [1, ", kMaxRate, "]"));
  }
  if (options.filters == 0 || options.filters > kMaxFilters) {
    return Refuse(absl::StrCat(options.filters, " filters, there must be 1 to ", kMaxFilters));
  }
  const double longest = static_cast<double>(kMaxFft) / options.sample_rate;
  if (!(options.window_seconds > 0 && options.window_seconds <= longest) ||
      !(options.hop_seconds > 0 && options.hop_seconds <= longest) ||
      SamplesOf(options.window_seconds, options.sample_rate) == 0 ||
      SamplesOf(options.hop_seconds, options.sample_rate) == 0) {
    return Refuse(absl::StrCat("a window of ", options.window_seconds, " s every ", options.hop_seconds,
                               " s; both must be at least one sample and at most ", longest, " s"));
  }
  const uint32_t window = SamplesOf(options.window_seconds, options.sample_rate);
  if (options.fft == 0) {
    for (options.fft = 2; options.fft < window;) options.fft *= 2;
  }
  if (options.fft < window || options.fft > kMaxFft || options.fft % 2 != 0) {
    return Refuse(absl::StrCat("a transform of ", options.fft, " for windows of ", window,
                               " samples; it must be even, no smaller than the window and at most ", kMaxFft));
  }
  const double nyquist = options.sample_rate / 2.0;
  if (options.high_hertz == 0) options.high_hertz = nyquist;
  if (!(options.low_hertz >= 0 && options.low_hertz < options.high_hertz && options.high_hertz <= nyquist)) {
    return Refuse(absl::StrCat("filters from ", options.low_hertz, " to ", options.high_hertz,
                               " Hz; they must lie in ascending order within 0 and ", nyquist, " Hz"));
  }
  return options;
}

// Bounds of the filters in Hz: filter i rises from i to i + 1 and falls to i + 2.
std::vector<double> Edges(const LogMelOptions& options) {
  const double low = MelOf(options.low_hertz), high = MelOf(options.high_hertz);
  std::vector<double> edges;
  for (uint32_t i = 0; i < options.filters + 2; ++i) {
    edges.push_back(HertzOf(low + (high - low) * i / (options.filters + 1)));
  }
  return edges;
}

}  // namespace

struct LogMel::Transform {
  explicit Transform(uint32_t fft_size)
      : plan(kiss_fftr_alloc(static_cast<int>(fft_size), 0, nullptr, nullptr)),
        time(fft_size),
        bins(fft_size / 2 + 1) {}
  ~Transform() { kiss_fftr_free(plan); }
  Transform(const Transform&) = delete;
  Transform& operator=(const Transform&) = delete;

  kiss_fftr_cfg plan;
  std::vector<float> time;
  std::vector<kiss_fft_cpx> bins;
};

// A triangle over edges[0], [1] (its peak) and [2], in Hz.
LogMel::Filter LogMel::MakeFilter(const double* edges, double bin_hertz, size_t bins) {
  Filter filter;
  for (size_t bin = 0; bin < bins; ++bin) {
    const double hertz = static_cast<double>(bin) * bin_hertz;
    const double rise = (hertz - edges[0]) / (edges[1] - edges[0]);
    const double fall = (edges[2] - hertz) / (edges[2] - edges[1]);
    const double weight = std::min(rise, fall);
    if (weight <= 0) continue;
    if (filter.weights.empty()) filter.first = bin;
    filter.weights.push_back(weight);
  }
  return filter;
}

LogMel::LogMel() = default;
LogMel::~LogMel() = default;
LogMel::LogMel(LogMel&&) noexcept = default;
LogMel& LogMel::operator=(LogMel&&) noexcept = default;

absl::StatusOr<LogMel> LogMel::Create(const LogMelOptions& wanted) {
  TW_ASSIGN_OR_RETURN(const LogMelOptions options, Complete(wanted));
  LogMel mel;
  mel.transform_ = std::make_unique<Transform>(options.fft);
  mel.hop_ = SamplesOf(options.hop_seconds, options.sample_rate);
  const uint32_t window = SamplesOf(options.window_seconds, options.sample_rate);
  for (uint32_t i = 0; i < window; ++i) {
    mel.window_.push_back(static_cast<float>(0.5 - 0.5 * std::cos(2 * kPi * i / window)));
  }
  const std::vector<double> edges = Edges(options);
  const double bin_hertz = static_cast<double>(options.sample_rate) / options.fft;
  for (uint32_t i = 0; i < options.filters; ++i) {
    Filter filter = MakeFilter(edges.data() + i, bin_hertz, options.fft / 2 + 1);
    if (filter.weights.empty()) {
      return Refuse(absl::StrCat("filter ", i, " of ", options.filters, " (", edges[i], " to ", edges[i + 2],
                                 " Hz) lies between two of the frequencies of a transform of ", options.fft,
                                 "; take fewer filters or a transform of ", 2 * options.fft));
    }
    mel.filters_.push_back(std::move(filter));
  }
  return mel;
}

double LogMel::Energy(const Filter& filter) const {
  double energy = 0;
  for (size_t k = 0; k < filter.weights.size(); ++k) {
    const kiss_fft_cpx& bin = transform_->bins[filter.first + k];
    energy += filter.weights[k] * (double{bin.r} * bin.r + double{bin.i} * bin.i);
  }
  return energy;
}

absl::StatusOr<Features> LogMel::Compute(absl::Span<const float> samples) {
  if (samples.size() < window_.size()) {
    return absl::InvalidArgumentError(absl::StrCat(samples.size(),
                                                   " samples are too short: a window of features takes ",
                                                   window_.size(), "; remove it from the index"));
  }
  Features features;
  features.frames = (samples.size() - window_.size()) / hop_ + 1;
  features.width = filters_.size();
  features.values.reserve(features.frames * features.width);
  Transform& transform = *transform_;  // beyond the window its input stays zero
  for (size_t t = 0; t < features.frames; ++t) {
    for (size_t i = 0; i < window_.size(); ++i) transform.time[i] = samples[t * hop_ + i] * window_[i];
    kiss_fftr(transform.plan, transform.time.data(), transform.bins.data());
    for (const Filter& filter : filters_) {
      features.values.push_back(static_cast<float>(std::log(std::max(Energy(filter), kLeastEnergy))));
    }
  }
  return features;
}

}  // namespace thinwire
