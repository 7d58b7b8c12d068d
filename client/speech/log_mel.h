// Log-mel filter bank features. Windows of 25 ms every 10 ms (Hann, periodic), power spectrum, triangular filters that
// are equally wide on the HTK mel scale, 2595 log10(1 + f/700), natural logarithm. No pre-emphasis, no dither, no
// padding at the ends.
#ifndef THINWIRE_CLIENT_SPEECH_LOG_MEL_H_
#define THINWIRE_CLIENT_SPEECH_LOG_MEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/speech/features.h"

namespace thinwire {

struct LogMelOptions {
  uint32_t sample_rate = 16000;  // Hz
  uint32_t filters = 40;
  uint32_t fft = 0;       // size of the transform; 0: the smallest power of two that holds a window
  double low_hertz = 20;  // where the first filter begins
  double high_hertz = 0;  // where the last one ends; 0: half of the sample rate
  double window_seconds = 0.025;
  double hop_seconds = 0.010;
};

// Thread-compatible.
class LogMel {
 public:
  // INVALID_ARGUMENT, naming value, limit and way out, for sizes and frequencies that make no sense, among them filters
  // so narrow that a transform of this size puts no frequency into one.
  static absl::StatusOr<LogMel> Create(const LogMelOptions& options);
  ~LogMel();
  LogMel(LogMel&&) noexcept;
  LogMel& operator=(LogMel&&) noexcept;

  uint32_t window() const { return static_cast<uint32_t>(window_.size()); }  // samples
  uint32_t hop() const { return hop_; }
  uint32_t filters() const { return static_cast<uint32_t>(filters_.size()); }

  // floor((samples - window) / hop) + 1 frames. Energies below 1e-10 count as 1e-10. INVALID_ARGUMENT if there are
  // fewer samples than a window holds.
  absl::StatusOr<Features> Compute(absl::Span<const float> samples);

 private:
  struct Transform;
  struct Filter {
    size_t first = 0;  // bin
    std::vector<double> weights;
  };
  LogMel();
  static Filter MakeFilter(const double* edges, double bin_hertz, size_t bins);
  double Energy(const Filter& filter) const;

  std::unique_ptr<Transform> transform_;
  std::vector<float> window_;
  uint32_t hop_ = 0;
  std::vector<Filter> filters_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SPEECH_LOG_MEL_H_
