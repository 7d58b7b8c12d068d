#include "deploy/local/run_report.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "deploy/local/report_parts.h"
#include "nlohmann/json.hpp"

namespace thinwire {
namespace {

using nlohmann::ordered_json;

// "0.52 %": how much more `wire` is than `payload`.
std::string Above(uint64_t wire, uint64_t payload) { return wire < payload ? "-" : Percent(wire - payload, payload); }

struct ByteRow {
  const char* label;
  std::string down;
  std::string up;
};

std::array<ByteRow, 6> ByteRows(const BothDirections& bytes) {
  const DirectionBytes& d = bytes.down;
  const DirectionBytes& u = bytes.up;
  return {{{"payload", Megabytes(d.payload), Megabytes(u.payload)},
           {"messages", Megabytes(d.message), Megabytes(u.message)},
           {"on the wire", Megabytes(d.wire), Megabytes(u.wire)},
           {"the same payload as FP32", Megabytes(d.fp32_payload), Megabytes(u.fp32_payload)},
           {"payload / FP32", Percent(d.payload, d.fp32_payload), Percent(u.payload, u.fp32_payload)},
           {"wire above payload", Above(d.wire, d.payload), Above(u.wire, u.payload)}}};
}

std::string Headline(const RunReport& report) {
  std::string line = absl::StrFormat("%s: %u rounds, %u clients, %s, in %.1f s", report.state, report.rounds.size(),
                                     report.options.clients, report.options.plan, report.seconds);
  if (report.accuracy) absl::StrAppend(&line, absl::StrFormat("; test accuracy %.4f", *report.accuracy));
  if (report.state != "COMPLETED" && !report.reason.empty()) absl::StrAppend(&line, "; ", report.reason);
  return line;
}

std::string Evaluator(const RunReport& report) {
  const DirectionBytes& down = report.evaluator.down;
  return absl::StrCat("payload ", Megabytes(down.payload), ", on the wire ", Megabytes(down.wire));
}

std::string Usage(const RunReport& report) {
  return absl::StrFormat("server %.0f MB and %.1f CPU s, largest client %.0f MB, all clients %.1f CPU s",
                         static_cast<double>(report.server.peak_rss_bytes) / 1e6, report.server.cpu_seconds,
                         static_cast<double>(report.clients.peak_rss_bytes) / 1e6, report.clients.cpu_seconds);
}

std::string LookCommand(const RunReport& report) { return absl::StrCat("./run look ", report.directory, " rounds"); }

ordered_json Json(const DirectionBytes& bytes) {
  return {{"payload", bytes.payload},
          {"message", bytes.message},
          {"wire", bytes.wire},
          {"fp32_payload", bytes.fp32_payload}};
}

ordered_json Json(const BothDirections& bytes) { return {{"down", Json(bytes.down)}, {"up", Json(bytes.up)}}; }

ordered_json Json(const DemoOptions& o) {
  return {
      {"clients", o.clients},           {"rounds", o.rounds},    {"plan", o.plan},         {"model", o.model},
      {"weights", o.weights},           {"data", o.data},        {"augment", o.augment},   {"partition", o.partition},
      {"samples", o.samples},           {"lr", o.learning_rate}, {"momentum", o.momentum}, {"batch", o.batch},
      {"local_epochs", o.local_epochs}, {"seed", o.seed}};
}

}  // namespace

std::string ToText(const RunReport& report) {
  std::string text = absl::StrCat(Headline(report), "\n\n");
  absl::StrAppend(&text, "round  accuracy  eval loss  train loss  seconds\n");
  for (const RoundLine& line : report.rounds) {
    absl::StrAppendFormat(&text, "%5u  %8s  %9s  %10.4f  %7.2f%s\n", line.round, OrDash(line.accuracy),
                          OrDash(line.eval_loss), line.train_loss, line.seconds,
                          line.state == "PUBLISHED" ? "" : "  " + line.state);
  }
  absl::StrAppendFormat(&text, "\n%-26s%16s%16s\n", "bytes of all trainers", "down", "up");
  for (const ByteRow& row : ByteRows(report.trainers)) {
    absl::StrAppendFormat(&text, "  %-24s%16s%16s\n", row.label, row.down, row.up);
  }
  absl::StrAppend(&text, "evaluator's download: ", Evaluator(report), "\n");
  absl::StrAppend(&text, "uploads: ", UploadsText(report.rounds), "\n\n");
  absl::StrAppend(&text, "peak memory  ", Usage(report), "\n");
  absl::StrAppend(&text, "model        ", report.model_path.empty() ? "none" : report.model_path, "\n");
  absl::StrAppend(&text, "results      ", report.directory, "/result.json, result.md; logs in logs/\n");
  absl::StrAppend(&text, "look again   ", LookCommand(report), "\n");
  return text;
}

std::string ToMarkdown(const RunReport& report) {
  std::string text = absl::StrCat(Headline(report), ".\n\n");
  absl::StrAppend(&text, "| round | accuracy | eval loss | train loss | seconds |\n|---|---|---|---|---|\n");
  for (const RoundLine& line : report.rounds) {
    absl::StrAppendFormat(&text, "| %u | %s | %s | %.4f | %.2f |\n", line.round, OrDash(line.accuracy),
                          OrDash(line.eval_loss), line.train_loss, line.seconds);
  }
  absl::StrAppend(&text, "\n| bytes of all trainers | down | up |\n|---|---|---|\n");
  for (const ByteRow& row : ByteRows(report.trainers)) {
    absl::StrAppendFormat(&text, "| %s | %s | %s |\n", row.label, row.down, row.up);
  }
  absl::StrAppend(&text, "\nUploads: ", UploadsText(report.rounds), ".\n");
  absl::StrAppend(&text, "\nEvaluator's download: ", Evaluator(report), ". Peak memory: ", Usage(report), ".\n");
  return text;
}

std::string ToJson(const RunReport& report) {
  ordered_json rounds = ordered_json::array();
  for (const RoundLine& line : report.rounds) rounds.push_back(Json(line));
  const ordered_json json = {{"state", report.state},
                             {"reason", report.reason},
                             {"options", Json(report.options)},
                             {"accuracy", Json(report.accuracy)},
                             {"seconds", report.seconds},
                             {"trainers", Json(report.trainers)},
                             {"evaluator", Json(report.evaluator)},
                             {"server", Json(report.server)},
                             {"clients", Json(report.clients)},
                             {"rounds", rounds},
                             {"directory", report.directory},
                             {"model_path", report.model_path}};
  return Document(json);
}

}  // namespace thinwire
