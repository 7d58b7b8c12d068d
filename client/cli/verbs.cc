#include "client/cli/verbs.h"

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/control_client.h"
#include "client/cli/render.h"
#include "common/codec/inspect.h"

namespace thinwire {
namespace {

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void PrintError(const absl::Status& status) {
  std::fprintf(stderr, "thinwire: %s\n", std::string(status.message()).c_str());
}

const char* RepresentationName(Representation representation) {
  switch (representation) {
    case Representation::kModel:
      return "model";
    case Representation::kDelta:
      return "delta";
    case Representation::kFrozen:
      return "frozen";
  }
  return "?";
}

std::string InspectText(const PayloadReport& report) {
  std::string out = absl::StrFormat(
      "payload  %s\ncarries  %s\nmodel    %s\nbase     %s\nsize     %d bytes, manifest %d\n"
      "values   %d, %.4f bits each in all\n\n%7s %7s %12s %12s %9s %13s %12s  %s\n",
      report.ref.id.Hex(), RepresentationName(report.representation), report.model_id.Hex(),
      report.base_id.empty() ? "none" : report.base_id.Hex(), report.ref.total_size, report.ref.manifest_size,
      report.values, report.bits_per_value(), "tensor", "blocks", "values", "bytes", "bits each", "scale", "exact",
      "codec");
  for (const TensorReport& tensor : report.tensors) {
    absl::StrAppendFormat(&out, "%7d %7d %12d %12d %9.4f %13.6g %12d  %s\n", tensor.tensor, tensor.blocks,
                          tensor.values, tensor.bytes, tensor.bits_per_value(), tensor.scale, tensor.exact,
                          tensor.codec);
  }
  return out;
}

std::string InspectJson(const PayloadReport& report) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const TensorReport& tensor : report.tensors) {
    tensors.push_back({{"tensor", tensor.tensor},
                       {"blocks", tensor.blocks},
                       {"values", tensor.values},
                       {"bytes", tensor.bytes},
                       {"bits_per_value", tensor.bits_per_value()},
                       {"scale", tensor.scale},
                       {"exact_values", tensor.exact},
                       {"codec", tensor.codec}});
  }
  const nlohmann::json json = {{"payload_id", report.ref.id.Hex()},
                               {"representation", RepresentationName(report.representation)},
                               {"model_id", report.model_id.Hex()},
                               {"base_id", report.base_id.empty() ? "" : report.base_id.Hex()},
                               {"total_size", report.ref.total_size},
                               {"manifest_size", report.ref.manifest_size},
                               {"values", report.values},
                               {"bits_per_value", report.bits_per_value()},
                               {"tensors", tensors}};
  return json.dump() + "\n";
}

// Connects with the first call.
absl::StatusOr<ControlClient> Connect(const CliOptions& options) {
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      ChannelCredentialsByFlags(options.security, PeerRole::kOperator);
  if (!credentials.ok()) return credentials.status();
  return ControlClient(options.server, *credentials);
}

// Flags that lead to no credentials are wrong usage, whatever is wrong with the files that they name.
CliExit BadCredentials(const absl::Status& status) {
  Complain(status);
  return CliExit::kUsage;
}

CliExit ShowRounds(const CliOptions& options, std::string (*render)(const std::vector<v1::RoundSummary>&)) {
  absl::StatusOr<ControlClient> server = Connect(options);
  if (!server.ok()) return BadCredentials(server.status());
  const absl::StatusOr<std::vector<v1::RoundSummary>> rounds = server->Rounds(0);
  if (!rounds.ok()) return Complain(rounds.status());
  if (!options.json) {
    Print(render(*rounds));
    return CliExit::kOk;
  }
  v1::ListRoundsResponse response;
  for (const v1::RoundSummary& round : *rounds) *response.add_rounds() = round;
  Print(RenderJson(response));
  return CliExit::kOk;
}

}  // namespace

CliExit Complain(const absl::Status& status) {
  PrintError(status);
  return ExitFor(status);
}

CliExit ComplainOfFile(const absl::Status& status) {
  PrintError(status);
  return ExitForFile(status);
}

CliExit RunStatus(const CliOptions& options) {
  absl::StatusOr<ControlClient> server = Connect(options);
  if (!server.ok()) return BadCredentials(server.status());
  const absl::StatusOr<v1::Status> status = server->Status();
  if (!status.ok()) return Complain(status.status());
  Print(options.json ? RenderJson(*status) : RenderStatus(*status));
  return CliExit::kOk;
}

CliExit RunRounds(const CliOptions& options) { return ShowRounds(options, RenderRounds); }
CliExit RunUploads(const CliOptions& options) { return ShowRounds(options, RenderUploads); }

CliExit RunClients(const CliOptions& options) {
  absl::StatusOr<ControlClient> server = Connect(options);
  if (!server.ok()) return BadCredentials(server.status());
  const absl::StatusOr<std::vector<v1::ClientSummary>> clients = server->Clients();
  if (!clients.ok()) return Complain(clients.status());
  if (!options.json) {
    Print(RenderClients(*clients));
    return CliExit::kOk;
  }
  v1::ListClientsResponse response;
  for (const v1::ClientSummary& client : *clients) *response.add_clients() = client;
  Print(RenderJson(response));
  return CliExit::kOk;
}

CliExit RunStart(const CliOptions& options) {
  absl::StatusOr<ControlClient> server = Connect(options);
  if (!server.ok()) return BadCredentials(server.status());
  const absl::StatusOr<v1::Status> status = server->Start();
  if (!status.ok()) return Complain(status.status());
  Print(options.json ? RenderJson(*status) : RenderStatusLine(*status) + "\n");
  return CliExit::kOk;
}

CliExit RunStop(const CliOptions& options) {
  absl::StatusOr<ControlClient> server = Connect(options);
  if (!server.ok()) return BadCredentials(server.status());
  const absl::StatusOr<v1::Status> status = server->Stop(options.reason);
  if (!status.ok()) return Complain(status.status());
  Print(options.json ? RenderJson(*status) : RenderStatusLine(*status) + "\n");
  return CliExit::kOk;
}

CliExit RunWatch(const CliOptions& options) {
  absl::StatusOr<ControlClient> server = Connect(options);
  if (!server.ok()) return BadCredentials(server.status());
  v1::RunState last = v1::RUN_STATE_UNSPECIFIED;
  std::string printed;
  const absl::Status watched = server->Watch([&](const v1::Status& status) {
    last = status.state();
    const std::string line = options.json ? RenderJson(status) : RenderStatusLine(status) + "\n";
    if (line != printed) Print(line);
    printed = line;
    return true;
  });
  if (!watched.ok()) return Complain(watched);
  return last == v1::RUN_STATE_FAILED ? CliExit::kRunFailed : CliExit::kOk;
}

CliExit RunExport(const CliOptions& options) {
  absl::StatusOr<ControlClient> server = Connect(options);
  if (!server.ok()) return BadCredentials(server.status());
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const absl::StatusOr<v1::ExportHeader> header =
      server->Export(options.version, options.out, [terminal](uint64_t done, uint64_t all) {
        if (terminal) std::fprintf(stderr, "\r%s of %s ", HumanBytes(done).c_str(), HumanBytes(all).c_str());
      });
  if (terminal) std::fprintf(stderr, "\n");
  if (!header.ok()) return Complain(header.status());
  const nlohmann::json json = {{"file", options.out}, {"version", header->version()}, {"size", header->size()}};
  Print(options.json ? json.dump() + "\n"
                     : absl::StrCat("version ", header->version(), ", ", HumanBytes(header->size()), ", written to ",
                                    options.out, "\n"));
  return CliExit::kOk;
}

CliExit RunInspect(const CliOptions& options) {
  const absl::StatusOr<PayloadReport> report = InspectPayload(options.file);
  if (report.ok()) {
    Print(options.json ? InspectJson(*report) : InspectText(*report));
    return CliExit::kOk;
  }
  const CliExit code = ComplainOfFile(report.status());
  // A file that cannot be read says nothing about what is in it.
  const bool unreadable = absl::IsPermissionDenied(report.status()) || absl::IsInternal(report.status());
  return code == CliExit::kFailed && !unreadable ? CliExit::kBadPayload : code;
}

}  // namespace thinwire
