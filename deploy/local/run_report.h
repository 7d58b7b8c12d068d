// What a local run came to: collected by the launcher, shown as a table, as Markdown and as JSON.
#ifndef THINWIRE_DEPLOY_LOCAL_RUN_REPORT_H_
#define THINWIRE_DEPLOY_LOCAL_RUN_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deploy/local/demo_options.h"

namespace thinwire {

// One direction, in bytes. The server counts payload, messages and the FP32 equivalent, which is the same payloads
// coded as FP32; wire is TCP payload, counted by the proxy.
struct DirectionBytes {
  uint64_t payload = 0;
  uint64_t message = 0;
  uint64_t wire = 0;
  uint64_t fp32_payload = 0;
};

struct BothDirections {
  DirectionBytes down;  // server to clients
  DirectionBytes up;
};

// thinwire.v1.UploadSummary explains the fields.
struct UploadLine {
  uint64_t updates = 0;
  uint64_t payload_bits = 0;
  uint64_t granted_bits = 0;
  double bits_per_parameter = 0;
  double encode_seconds = 0;
  double decode_seconds = 0;
  std::optional<double> distortion;
  std::optional<double> weighted_distortion;
  std::optional<double> unsent_norm;
  std::optional<double> accuracy_per_megabit;
};

struct RoundLine {
  uint32_t round = 0;
  std::string state;  // "PUBLISHED", "FAILED"
  double seconds = 0;
  double train_loss = 0;
  std::optional<double> eval_loss;
  std::optional<double> accuracy;  // 0..1
  uint64_t payload_down = 0;       // trainers'
  uint64_t payload_up = 0;
  UploadLine uploads;
};

// Of ended processes.
struct ProcessUsage {
  double cpu_seconds = 0;       // sum
  uint64_t peak_rss_bytes = 0;  // of the largest
};

struct RunReport {
  DemoOptions options;
  std::string state;   // "COMPLETED", ...
  std::string reason;  // why, if not completed
  std::vector<RoundLine> rounds;
  std::optional<double> accuracy;  // of the last version evaluated
  BothDirections trainers;
  BothDirections evaluator;
  double seconds = 0;  // from the start of the first process to the end of the run
  ProcessUsage server;
  ProcessUsage clients;
  std::string directory;   // with state, logs, this report
  std::string model_path;  // exported model, safetensors
};

// The closing table for people, with what to do next.
std::string ToText(const RunReport& report);
std::string ToMarkdown(const RunReport& report);
// Snake-case keys as in the structs; bytes as integers; one object, two-space indent.
std::string ToJson(const RunReport& report);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_RUN_REPORT_H_
