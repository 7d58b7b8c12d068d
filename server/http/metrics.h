// What operators graph: Prometheus metrics of a server, with base units (bytes, seconds) and few labels.
#ifndef THINWIRE_SERVER_HTTP_METRICS_H_
#define THINWIRE_SERVER_HTTP_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/round/events.h"

namespace thinwire {

enum class Direction { kDown, kUp };

// What the run is waiting for, as numbers.
struct WaitingMetrics {
  uint32_t round = 0;
  uint64_t version = 0;
  uint32_t wanted = 0;       // updates the open round waits for
  uint32_t received = 0;     // of these, durable
  absl::Duration time_left;  // to the round's deadline; 0 without one
};

// The updates of a published round, in sum.
struct UploadMetrics {
  uint64_t payload_bits = 0;
  uint64_t granted_bits = 0;   // 0 without a budget
  absl::Duration encode_time;  // of their clients
  absl::Duration decode_time;  // of the server
  // Means; none where no client reported one.
  std::optional<double> distortion, weighted_distortion, unsent_norm;
};

// Thread-safe. Counters start at 0 with the process.
class Metrics {
 public:
  Metrics();

  void AddPayloadBytes(Role role, Direction direction, uint64_t bytes);
  void AddMessageBytes(Role role, Direction direction, uint64_t bytes);
  void CountRound(RoundState result);        // kPublished or kFailed
  void CountUpdate(AssignmentState result);  // a final state
  // `reason` is one of a fixed set of classes, never text that a client chose.
  void CountRefusal(const std::string& reason, uint64_t count = 1);

  void SetRunState(RunState state);
  void SetClients(Role role, size_t live);
  void SetWaiting(const WaitingMetrics& waiting);
  void SetQueueDepth(const std::string& queue, size_t depth);

  void ObserveFold(absl::Duration time);
  // Strategy, new weights, encoded downlink, all synced and journaled.
  void ObservePublish(absl::Duration time);
  // The encoding of a version's downlink, which is part of publishing it.
  void ObserveEncode(absl::Duration time);
  // Of the newest payload in this direction: all its bits, over the model's values.
  void SetBitsPerParameter(Direction direction, double bits);

  void AddUploads(const UploadMetrics& uploads);
  // Of the newest version that was evaluated, as the one before it was: accuracy gained over 10^6 bits of its updates.
  void SetAccuracyPerMegabit(double accuracy);

  // Prometheus text format.
  std::string Text() const;

 private:
  using CounterFamily = prometheus::Family<prometheus::Counter>;
  using GaugeFamily = prometheus::Family<prometheus::Gauge>;

  prometheus::Registry registry_;
  CounterFamily& payload_bytes_;
  CounterFamily& message_bytes_;
  CounterFamily& rounds_;
  CounterFamily& updates_;
  CounterFamily& refusals_;
  GaugeFamily& run_state_;
  GaugeFamily& clients_;
  GaugeFamily& queue_depth_;
  GaugeFamily& bits_per_parameter_;
  GaugeFamily& distortion_;
  GaugeFamily& weighted_distortion_;
  GaugeFamily& unsent_norm_;
  GaugeFamily& accuracy_per_megabit_;
  prometheus::Counter& update_bytes_;
  prometheus::Counter& granted_bytes_;
  prometheus::Counter& client_encode_;
  prometheus::Counter& update_decode_;
  prometheus::Gauge& round_;
  prometheus::Gauge& version_;
  prometheus::Gauge& wanted_;
  prometheus::Gauge& received_;
  prometheus::Gauge& time_left_;
  prometheus::Histogram& fold_;
  prometheus::Histogram& publish_;
  prometheus::Histogram& encode_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_HTTP_METRICS_H_
