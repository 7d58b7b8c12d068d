#include "deploy/local/report_parts.h"

#include <algorithm>
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

static ordered_json Json(const UploadLine& line) {
  return {{"updates", line.updates},
          {"payload_bits", line.payload_bits},
          {"granted_bits", line.granted_bits},
          {"bits_per_parameter", line.bits_per_parameter},
          {"encode_seconds", line.encode_seconds},
          {"decode_seconds", line.decode_seconds},
          {"distortion", Json(line.distortion)},
          {"weighted_distortion", Json(line.weighted_distortion)},
          {"unsent_norm", Json(line.unsent_norm)},
          {"accuracy_per_megabit", Json(line.accuracy_per_megabit)}};
}

std::string UploadsText(const std::vector<RoundLine>& rounds) {
  UploadLine all;
  double squares = 0;
  uint64_t coded = 0;
  for (const RoundLine& round : rounds) {
    const UploadLine& line = round.uploads;
    all.updates += line.updates;
    all.payload_bits += line.payload_bits;
    all.granted_bits += line.granted_bits;
    all.bits_per_parameter += line.bits_per_parameter * static_cast<double>(line.updates);
    squares += line.distortion.value_or(0) * static_cast<double>(line.updates);
    coded += line.distortion.has_value() ? line.updates : 0;
  }
  const auto updates = static_cast<double>(std::max<uint64_t>(all.updates, 1));
  std::string text =
      absl::StrFormat("%u updates, %.4g bits a parameter", all.updates, all.bits_per_parameter / updates);
  if (all.granted_bits > 0) {
    absl::StrAppendFormat(&text, ", %s of the budget", Percent(all.payload_bits, all.granted_bits));
  }
  if (coded > 0) {
    absl::StrAppendFormat(&text, ", relative squared error %.4g", squares / static_cast<double>(coded));
  }
  return text;
}

ordered_json Json(const RoundLine& line) {
  return {{"round", line.round},
          {"state", line.state},
          {"seconds", line.seconds},
          {"train_loss", line.train_loss},
          {"eval_loss", Json(line.eval_loss)},
          {"accuracy", Json(line.accuracy)},
          {"payload_down", line.payload_down},
          {"payload_up", line.payload_up},
          {"uploads", Json(line.uploads)}};
}

ordered_json Json(const ProcessUsage& usage) {
  return {{"cpu_seconds", usage.cpu_seconds}, {"peak_rss_bytes", usage.peak_rss_bytes}};
}

std::string Document(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace thinwire
