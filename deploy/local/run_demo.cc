#include "deploy/local/run_demo.h"

#include <poll.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/train/image_folder.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "deploy/local/local_federation.h"
#include "deploy/local/status_follower.h"

namespace thinwire {
namespace {

// Clients hear of the run's end when the launcher does; this long one that hears it first may be gone before.
constexpr absl::Duration kEndNews = absl::Seconds(10);
constexpr absl::Duration kGrace = absl::Seconds(10);

Monotonic Now() { return Clock::System()->Now(); }

absl::Status CheckMachine(const DemoOptions& options, const std::string& programs) {
  for (const char* program : {"thinwire-server", "thinwire-client"}) {
    const std::string path = JoinPath(programs, program);
    if (!FileExists(path)) return absl::NotFoundError(absl::StrCat(path, " is not there: ./run build makes it"));
  }
  // Here, where it is one message and not one in each client's log.
  return FindImageFiles(options.data, ImageSet::kTraining).status();
}

bool IsFinal(const v1::Status& status) {
  return status.state() == v1::RUN_STATE_COMPLETED || status.state() == v1::RUN_STATE_STOPPED ||
         status.state() == v1::RUN_STATE_FAILED;
}

// Waits until a signal, a process or the follower has news, or `deadline`.
void AwaitNews(const LocalFederation& federation, const StatusFollower& follower, int signal_fd,
               std::optional<Monotonic> deadline) {
  std::vector<pollfd> set = {{signal_fd, POLLIN, 0}, {follower.fd(), POLLIN, 0}};
  for (const int fd : federation.RunningFds()) set.push_back({fd, POLLIN, 0});
  const int timeout_ms = deadline ? static_cast<int>(absl::ToInt64Milliseconds(*deadline - Now())) + 1 : -1;
  poll(set.data(), set.size(), timeout_ms);
}

bool SignalCame(int signal_fd) {
  pollfd entry{signal_fd, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

// The last status of the run: one that is final, and after which the server has nothing more to say.
absl::StatusOr<v1::Status> FollowRun(LocalFederation* federation, StatusFollower* follower, int signal_fd,
                                     Progress* progress) {
  v1::Status status;
  std::optional<Monotonic> deadline;  // set when a client has left and the end is due
  while (true) {
    AwaitNews(*federation, *follower, signal_fd, deadline);
    const StatusNews news = follower->Take();
    if (news.status) {
      status = *news.status;
      progress->Update(status, federation->trainer_wire(), Now());
    }
    if (IsFinal(status) && (news.end || !status.model_path().empty())) return status;
    if (SignalCame(signal_fd)) return absl::CancelledError("interrupted");
    TW_RETURN_IF_ERROR(federation->CheckProcesses());
    if (news.end) {
      return absl::UnavailableError(
          absl::StrCat("the server's status broke off before the run had ended. ", news.end->message()));
    }
    const std::string finished = federation->FinishedClient();
    if (!finished.empty() && !deadline) deadline = Now() + kEndNews;
    if (deadline && Now() >= *deadline) {
      return absl::AbortedError(absl::StrCat(finished, " left before the run had ended, see its log"));
    }
  }
}

BothDirections Bytes(const v1::Traffic& traffic, const WireBytes& wire) {
  const auto direction = [](const v1::TrafficCounters& counters, uint64_t wire_bytes) {
    return DirectionBytes{counters.payload_bytes(), counters.message_bytes(), wire_bytes,
                          counters.fp32_payload_bytes()};
  };
  return {direction(traffic.down(), wire.down), direction(traffic.up(), wire.up)};
}

absl::Status WriteResults(const RunReport& report) {
  TW_RETURN_IF_ERROR(WriteFileAtomically(JoinPath(report.directory, "result.json"), ToJson(report)));
  return WriteFileAtomically(JoinPath(report.directory, "result.md"), ToMarkdown(report));
}

}  // namespace

absl::StatusOr<std::string> FreshDirectory(const std::string& wanted) {
  std::error_code error;
  std::filesystem::path base = std::filesystem::absolute(wanted, error).lexically_normal();
  if (!base.has_filename()) base = base.parent_path();  // "out/demo/"
  std::string path = base.string();
  for (int i = 2; FileExists(path) && !std::filesystem::is_empty(path, error); ++i) {
    path = absl::StrCat(base.string(), "-", i);
  }
  TW_RETURN_IF_ERROR(MakeDirectories(path));
  return path;
}

UploadLine ToUploadLine(const v1::UploadSummary& summary) {
  UploadLine line;
  line.updates = summary.updates();
  line.payload_bits = summary.payload_bits();
  line.granted_bits = summary.granted_bits();
  line.bits_per_parameter = summary.bits_per_parameter();
  line.encode_seconds = absl::ToDoubleSeconds(FromProto(summary.encode_time()).value_or(absl::ZeroDuration()));
  line.decode_seconds = absl::ToDoubleSeconds(FromProto(summary.decode_time()).value_or(absl::ZeroDuration()));
  if (summary.has_distortion()) line.distortion = summary.distortion();
  if (summary.has_weighted_distortion()) line.weighted_distortion = summary.weighted_distortion();
  if (summary.has_unsent_norm()) line.unsent_norm = summary.unsent_norm();
  if (summary.has_accuracy_per_megabit()) line.accuracy_per_megabit = summary.accuracy_per_megabit();
  return line;
}

RoundLine ToRoundLine(const v1::RoundSummary& summary) {
  RoundLine line;
  line.round = summary.round();
  line.state = std::string(absl::StripPrefix(v1::RoundState_Name(summary.state()), "ROUND_STATE_"));
  line.seconds = absl::ToDoubleSeconds(FromProto(summary.duration()).value_or(absl::ZeroDuration()));
  line.train_loss = summary.train_loss();
  if (summary.has_eval_loss()) line.eval_loss = summary.eval_loss();
  if (summary.has_accuracy()) line.accuracy = summary.accuracy();
  line.payload_down = summary.trainer_traffic().down().payload_bytes();
  line.payload_up = summary.trainer_traffic().up().payload_bytes();
  line.uploads = ToUploadLine(summary.uploads());
  return line;
}

void AddStatus(const v1::Status& status, RunReport* report) {
  report->state = std::string(absl::StripPrefix(v1::RunState_Name(status.state()), "RUN_STATE_"));
  report->reason = status.reason();
  if (status.has_accuracy()) report->accuracy = status.accuracy();
  report->model_path = status.model_path();
}

absl::StatusOr<RunReport> RunDemo(const DemoOptions& options, const std::string& programs, int signal_fd,
                                  Progress* progress) {
  TW_RETURN_IF_ERROR(CheckMachine(options, programs));
  RunReport report;
  report.options = options;
  TW_ASSIGN_OR_RETURN(report.directory, FreshDirectory(options.out));
  const Monotonic start = Now();
  TW_ASSIGN_OR_RETURN(const std::unique_ptr<LocalFederation> federation,
                      LocalFederation::Start(options, programs, report.directory));
  StatusFollower follower(federation->endpoints().control);
  absl::StatusOr<v1::Status> status = FollowRun(federation.get(), &follower, signal_fd, progress);
  report.seconds = absl::ToDoubleSeconds(Now() - start);
  progress->End();
  if (absl::IsCancelled(status.status())) {
    federation->StopClients(absl::ZeroDuration());
    federation->StopServer(kGrace);
    return absl::CancelledError(
        absl::StrCat("interrupted; all processes are stopped, and the run's state is kept in ", report.directory));
  }
  TW_RETURN_IF_ERROR(status.status());
  TW_ASSIGN_OR_RETURN(const std::vector<v1::RoundSummary> rounds, follower.ListRounds());
  for (const v1::RoundSummary& round : rounds) report.rounds.push_back(ToRoundLine(round));
  federation->StopClients(kGrace);
  // Once more: the clients' last messages count too.
  if (absl::StatusOr<v1::Status> last = follower.GetStatus(); last.ok()) status = std::move(last);
  federation->StopServer(kGrace);
  AddStatus(*status, &report);
  report.trainers = Bytes(status->trainer_traffic(), federation->trainer_wire());
  report.evaluator = Bytes(status->evaluator_traffic(), federation->evaluator_wire());
  report.server = federation->server_usage();
  report.clients = federation->client_usage();
  TW_RETURN_IF_ERROR(WriteResults(report));
  return report;
}

}  // namespace thinwire
