#include "deploy/simulate/simulation_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/local/report_parts.h"

namespace thinwire {
namespace {

using nlohmann::ordered_json;

std::string PercentOfFp32(const ByteCounts& bytes) { return Percent(bytes.payload, bytes.fp32_payload); }

std::string Headline(const SimulationReport& report) {
  const SimulationOptions& o = report.options;
  std::string line =
      absl::StrFormat("%s: %u rounds, %u of %u virtual clients each, %s, in %.1f s on %u threads", report.state,
                      report.rounds.size(), o.clients_per_round, o.clients, o.plan, report.seconds, o.threads);
  if (report.accuracy && o.task != "echo")
    absl::StrAppend(&line, absl::StrFormat("; test accuracy %.4f", *report.accuracy));
  if (report.state != "COMPLETED" && !report.reason.empty()) absl::StrAppend(&line, "; ", report.reason);
  return line;
}

ordered_json Json(const ByteCounts& bytes) {
  return {{"payload", bytes.payload}, {"fp32_payload", bytes.fp32_payload}};
}

ordered_json Json(const SimulationOptions& o) {
  return {{"clients", o.clients},
          {"clients_per_round", o.clients_per_round},
          {"rounds", o.rounds},
          {"plan", o.plan},
          {"task", o.task},
          {"model", o.model},
          {"data", o.data},
          {"augment", o.augment},
          {"partition", o.partition},
          {"samples", o.samples},
          {"parameters", o.parameters},
          {"examples", o.examples},
          {"epochs", o.epochs},
          {"batch", o.batch},
          {"learning_rate", o.learning_rate},
          {"momentum", o.momentum},
          {"aggregator", o.aggregator},
          {"strategy", o.strategy},
          {"server_rate", o.server_rate},
          {"weights", o.weights},
          {"start", o.start},
          {"trim", o.trim},
          {"evaluate_every", o.evaluate_every},
          {"seed", o.seed},
          {"threads", o.threads},
          {"no_sync", o.no_sync}};
}

}  // namespace

std::string ToText(const SimulationReport& report) {
  std::string text = absl::StrCat(Headline(report), "\n\n");
  absl::StrAppend(&text, "round  accuracy  eval loss  train loss  seconds    payload down      payload up\n");
  for (const RoundLine& line : report.rounds) {
    absl::StrAppendFormat(&text, "%5u  %8s  %9s  %10.4f  %7.2f%16s%16s%s\n", line.round, OrDash(line.accuracy),
                          OrDash(line.eval_loss), line.train_loss, line.seconds, Megabytes(line.payload_down),
                          Megabytes(line.payload_up), line.state == "PUBLISHED" ? "" : "  " + line.state);
  }
  absl::StrAppendFormat(&text, "\n%-26s%16s%16s\n", "bytes of all trainers", "down", "up");
  absl::StrAppendFormat(&text, "  %-24s%16s%16s\n", "payload", Megabytes(report.trainer_down.payload),
                        Megabytes(report.trainer_up.payload));
  absl::StrAppendFormat(&text, "  %-24s%16s%16s\n", "the same payload as FP32",
                        Megabytes(report.trainer_down.fp32_payload), Megabytes(report.trainer_up.fp32_payload));
  absl::StrAppendFormat(&text, "  %-24s%16s%16s\n", "payload / FP32", PercentOfFp32(report.trainer_down),
                        PercentOfFp32(report.trainer_up));
  absl::StrAppend(&text, "evaluators' download: payload ", Megabytes(report.evaluator_down.payload), "\n");
  absl::StrAppend(&text, "uploads: ", UploadsText(report.rounds), "\n\n");
  absl::StrAppendFormat(&text, "peak memory  %.0f MB; %.1f CPU s\n",
                        static_cast<double>(report.usage.peak_rss_bytes) / 1e6, report.usage.cpu_seconds);
  absl::StrAppend(&text, "model        ", report.model_path.empty() ? "none" : report.model_path, "\n");
  absl::StrAppend(&text, "results      ", report.directory, "/result.json; log in simulate.log\n");
  return text;
}

std::string ToJson(const SimulationReport& report) {
  ordered_json rounds = ordered_json::array();
  for (const RoundLine& line : report.rounds) rounds.push_back(Json(line));
  const ordered_json json = {{"state", report.state},
                             {"reason", report.reason},
                             {"options", Json(report.options)},
                             {"accuracy", Json(report.accuracy)},
                             {"seconds", report.seconds},
                             {"trainers", {{"down", Json(report.trainer_down)}, {"up", Json(report.trainer_up)}}},
                             {"evaluators", {{"down", Json(report.evaluator_down)}}},
                             {"cpu_seconds", report.usage.cpu_seconds},
                             {"peak_rss_bytes", report.usage.peak_rss_bytes},
                             {"rounds", rounds},
                             {"directory", report.directory},
                             {"model_path", report.model_path},
                             {"model_sha256", report.model_sha256}};
  return Document(json);
}

}  // namespace thinwire
