#include "client/cli/render.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/link_rate.h"

namespace thinwire {
namespace {

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + 1e-9 * duration.nanos();
}

std::string Percent(bool has, double value) { return has ? absl::StrFormat("%.4f", value) : "-"; }

std::string Significant(bool has, double value) { return has ? absl::StrFormat("%.4g", value) : "-"; }

std::string ShareOf(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return absl::StrFormat("%.2f%%", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

void AppendTraffic(const char* who, const v1::Traffic& traffic, std::string* out) {
  absl::StrAppendFormat(out, "%-12s down %s (payload %s), up %s (payload %s)\n", who,
                        HumanBytes(traffic.down().message_bytes()), HumanBytes(traffic.down().payload_bytes()),
                        HumanBytes(traffic.up().message_bytes()), HumanBytes(traffic.up().payload_bytes()));
}

std::string CountersText(const v1::RoundCounters& counters) {
  return absl::StrFormat("%u invited: %u training, %u folding, %u folded, %u failed, %u dropped, %u discarded",
                         counters.invited(), counters.training(), counters.folding(), counters.folded(),
                         counters.failed(), counters.dropped(), counters.discarded());
}

}  // namespace

std::string RunStateName(v1::RunState state) {
  return std::string(absl::StripPrefix(v1::RunState_Name(state), "RUN_STATE_"));
}
std::string RoundStateName(v1::RoundState state) {
  return std::string(absl::StripPrefix(v1::RoundState_Name(state), "ROUND_STATE_"));
}

std::string HumanBytes(uint64_t bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < std::size(units); ++unit) value /= 1000;
  if (unit == 0) return absl::StrFormat("%d B", bytes);
  return absl::StrFormat("%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[unit]);
}

std::string RenderStatus(const v1::Status& status) {
  std::string out;
  absl::StrAppendFormat(&out, "%-12s %s, %s%s%s\n", "run", status.run_name(), RunStateName(status.state()),
                        status.reason().empty() ? "" : ": ", status.reason());
  absl::StrAppendFormat(&out, "%-12s %u of %u, %s\n", "round", status.round(), status.rounds(),
                        RoundStateName(status.round_state()));
  absl::StrAppendFormat(&out, "%-12s %s\n", "clients", CountersText(status.counters()));
  absl::StrAppendFormat(&out, "%-12s %u trainers, %u evaluators\n", "connected", status.trainers(),
                        status.evaluators());
  if (!status.waiting_for().empty()) absl::StrAppendFormat(&out, "%-12s %s\n", "waiting for", status.waiting_for());
  absl::StrAppendFormat(&out, "%-12s %u", "version", status.version());
  if (status.has_accuracy()) {
    absl::StrAppendFormat(&out, ", accuracy %.4f (version %u)", status.accuracy(), status.accuracy_version());
  }
  out += "\n";
  AppendTraffic("trainers", status.trainer_traffic(), &out);
  AppendTraffic("evaluators", status.evaluator_traffic(), &out);
  for (const v1::RefusalCount& refusal : status.refusals()) {
    absl::StrAppendFormat(&out, "%-12s %u x %s\n", "refused", refusal.count(), refusal.reason());
  }
  if (!status.model_path().empty()) absl::StrAppendFormat(&out, "%-12s %s\n", "model", status.model_path());
  return out;
}

std::string RenderStatusLine(const v1::Status& status) {
  std::string line = absl::StrFormat(
      "%s round %u/%u %s, version %u, accuracy %s, down %s up %s", RunStateName(status.state()), status.round(),
      status.rounds(), RoundStateName(status.round_state()), status.version(),
      Percent(status.has_accuracy(), status.accuracy()), HumanBytes(status.trainer_traffic().down().payload_bytes()),
      HumanBytes(status.trainer_traffic().up().payload_bytes()));
  if (!status.waiting_for().empty()) absl::StrAppend(&line, ", waiting for ", status.waiting_for());
  return line;
}

std::string RenderRounds(const std::vector<v1::RoundSummary>& rounds) {
  std::string out = absl::StrFormat("%5s %-10s %7s %7s %6s %9s %8s %8s %9s %9s\n", "round", "state", "version",
                                    "folded", "lost", "seconds", "loss", "accuracy", "down", "up");
  for (const v1::RoundSummary& round : rounds) {
    const v1::RoundCounters& counters = round.counters();
    absl::StrAppendFormat(
        &out, "%5u %-10s %7u %3u/%-3u %6u %9.2f %8.4f %8s %9s %9s%s%s\n", round.round(), RoundStateName(round.state()),
        round.version(), counters.folded(), counters.invited(),
        counters.failed() + counters.dropped() + counters.discarded(), Seconds(round.duration()), round.train_loss(),
        Percent(round.has_accuracy(), round.accuracy()), HumanBytes(round.trainer_traffic().down().payload_bytes()),
        HumanBytes(round.trainer_traffic().up().payload_bytes()), round.reason().empty() ? "" : "  ", round.reason());
  }
  return out;
}

std::string RenderUploads(const std::vector<v1::RoundSummary>& rounds) {
  std::string out = absl::StrFormat("%5s %7s %10s %12s %7s %10s %10s %10s %9s %9s %8s %10s\n", "round", "updates",
                                    "bits", "bits/param", "budget", "distortion", "weighted", "unsent", "encode s",
                                    "decode s", "accuracy", "per Mbit");
  for (const v1::RoundSummary& round : rounds) {
    if (!round.has_uploads()) continue;
    const v1::UploadSummary& uploads = round.uploads();
    absl::StrAppendFormat(&out, "%5u %7u %10u %12.6f %7s %10s %10s %10s %9.3f %9.3f %8s %10s\n", round.round(),
                          uploads.updates(), uploads.payload_bits(), uploads.bits_per_parameter(),
                          ShareOf(uploads.payload_bits(), uploads.granted_bits()),
                          Significant(uploads.has_distortion(), uploads.distortion()),
                          Significant(uploads.has_weighted_distortion(), uploads.weighted_distortion()),
                          Significant(uploads.has_unsent_norm(), uploads.unsent_norm()), Seconds(uploads.encode_time()),
                          Seconds(uploads.decode_time()), Percent(round.has_accuracy(), round.accuracy()),
                          Significant(uploads.has_accuracy_per_megabit(), uploads.accuracy_per_megabit()));
  }
  return out;
}

std::string RenderClients(const std::vector<v1::ClientSummary>& clients) {
  std::string out = absl::StrFormat("%-24s %-9s %9s %8s %11s %7s %12s %10s %10s %10s %9s  %-24s %s\n", "client", "role",
                                    "examples", "silent", "uplink", "budget", "bits/param", "distortion", "weighted",
                                    "unsent", "encode s", "software", "activity");
  for (const v1::ClientSummary& client : clients) {
    const uint64_t rate = client.uplink_bits_per_second();
    absl::StrAppendFormat(&out, "%-24s %-9s %9u %6.1f s %11s %7s %12.6f %10s %10s %10s %9.3f  %-24s %s\n",
                          client.client_id(), client.role() == v1::CLIENT_ROLE_EVALUATOR ? "evaluator" : "trainer",
                          client.examples(), Seconds(client.silent_for()), rate == 0 ? "-" : DescribeLinkRate(rate),
                          ShareOf(client.payload_bits(), client.granted_bits()), client.bits_per_parameter(),
                          Significant(client.has_distortion(), client.distortion()),
                          Significant(client.has_weighted_distortion(), client.weighted_distortion()),
                          Significant(client.has_unsent_norm(), client.unsent_norm()), Seconds(client.encode_time()),
                          client.software(), client.activity());
  }
  return out;
}

std::string RenderJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json + "\n";
}

}  // namespace thinwire
