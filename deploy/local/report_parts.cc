#include "deploy/local/report_parts.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"

namespace thinwire {

using nlohmann::ordered_json;

std::string Megabytes(uint64_t bytes) { return absl::StrFormat("%.3f MB", static_cast<double>(bytes) / 1e6); }

std::string Percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return absl::StrFormat("%.2f %%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string OrDash(const std::optional<double>& value) {
  return value ? absl::StrFormat("%.4f", *value) : std::string("-");
}

ordered_json Json(const std::optional<double>& value) { return value ? ordered_json(*value) : ordered_json(nullptr); }

ordered_json Json(const RoundLine& line) {
  return {{"round", line.round},
          {"state", line.state},
          {"seconds", line.seconds},
          {"train_loss", line.train_loss},
          {"eval_loss", Json(line.eval_loss)},
          {"accuracy", Json(line.accuracy)},
          {"payload_down", line.payload_down},
          {"payload_up", line.payload_up}};
}

ordered_json Json(const ProcessUsage& usage) {
  return {{"cpu_seconds", usage.cpu_seconds}, {"peak_rss_bytes", usage.peak_rss_bytes}};
}

std::string Document(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace thinwire
