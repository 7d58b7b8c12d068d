// Kills the server over and over, then the clients, and proves that nothing acknowledged was lost or counted twice:
//
//   kill_soak [--server-kills=N] [--client-kills=N] [--seed=S] [--table=FILE]
//
// The server dies at random instants of its life, its start included. Half of its lives have a fail-point armed,
// between the first byte of an upload and the published version: one that comes to it dies there instead, but lives are
// short and few do; the table counts them. (kill_test is the one that kills at each point in turn.) The same seed draws
// the same instants and points. Afterwards the journal is held against the receipts that the clients logged, and the
// exported model against that of a second run of as many rounds that nobody disturbed: it must be the same, bit by bit.
// Exit code 1 if anything is amiss.
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "tests/bench/soak/soak_check.h"
#include "tests/bench/soak/soak_federation.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

constexpr uint32_t kUnbounded = 1'000'000;  // rounds: the run is stopped
constexpr uint64_t kMaxModel = uint64_t{1} << 30;

struct Flags {
  SoakOptions soak;
  std::string table;
};

struct Outcome {
  SoakAudit audit;
  KillCounts kills;
  std::string digest;
  std::string undisturbed;
  absl::Duration with_server_kills;
  absl::Duration with_client_kills;
  absl::Duration undisturbed_time;
};

absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& arguments) {
  Flags flags;
  for (const std::string& argument : arguments) {
    absl::string_view rest = argument;
    const bool good = absl::ConsumePrefix(&rest, "--server-kills=")   ? absl::SimpleAtoi(rest, &flags.soak.server_kills)
                      : absl::ConsumePrefix(&rest, "--client-kills=") ? absl::SimpleAtoi(rest, &flags.soak.client_kills)
                      : absl::ConsumePrefix(&rest, "--seed=")         ? absl::SimpleAtoi(rest, &flags.soak.seed)
                      : absl::ConsumePrefix(&rest, "--table=")        ? (flags.table = std::string(rest), !rest.empty())
                                                                      : false;
    if (good) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("'", argument,
                     "' is none of --server-kills=N, --client-kills=N, --seed=S, --table=FILE with a number or file"));
  }
  return flags;
}

// A line now and then, so that somebody who watches knows that it goes on.
std::function<void(uint32_t)> Progress(const char* who, uint32_t of, SoakFederation* federation) {
  return [=](uint32_t kills) {
    if (kills % 50 != 0 && kills != of) return;
    std::printf("%s killed %u of %u times%s\n", who, kills, of,
                absl::StartsWith(who, "clients") ? absl::StrCat(", version ", federation->version()).c_str() : "");
    std::fflush(stdout);
  };
}

absl::StatusOr<std::string> DigestOf(const std::string& path) {
  TW_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(path, kMaxModel));
  return Sha256(bytes).Hex();
}

absl::StatusOr<std::string> Disturbed(const Flags& flags, SoakFederation* federation, Outcome* outcome) {
  const Monotonic start = Clock::System()->Now();
  TW_RETURN_IF_ERROR(federation->Start(kUnbounded));
  TW_RETURN_IF_ERROR(federation->KillServers(Progress("server", flags.soak.server_kills, federation)));
  const Monotonic between = Clock::System()->Now();
  TW_RETURN_IF_ERROR(federation->KillClients(Progress("clients", flags.soak.client_kills, federation)));
  outcome->with_server_kills = between - start;
  outcome->with_client_kills = Clock::System()->Now() - between;
  outcome->kills = federation->counts();
  TW_ASSIGN_OR_RETURN(const std::string model, federation->StopRun());
  return DigestOf(model);
}

absl::StatusOr<std::string> Undisturbed(const Flags& flags, uint64_t rounds) {
  const TemporaryDirectory folder;
  SoakFederation federation(flags.soak, folder.path());
  TW_RETURN_IF_ERROR(federation.Start(static_cast<uint32_t>(rounds)));
  TW_ASSIGN_OR_RETURN(const std::string model, federation.AwaitRounds());
  return DigestOf(model);
}

absl::StatusOr<Outcome> Run(const Flags& flags) {
  const TemporaryDirectory folder;
  SoakFederation federation(flags.soak, folder.path());
  Outcome outcome;
  TW_ASSIGN_OR_RETURN(outcome.digest, Disturbed(flags, &federation, &outcome));
  TW_ASSIGN_OR_RETURN(outcome.audit, AuditRun(federation.journal_path(), federation.Receipts(), flags.soak.clients));
  std::printf("%lu versions of %lu updates, %lu receipts; now as many rounds undisturbed\n", outcome.audit.versions,
              outcome.audit.folded, outcome.audit.receipts);
  const Monotonic start = Clock::System()->Now();
  TW_ASSIGN_OR_RETURN(outcome.undisturbed, Undisturbed(flags, outcome.audit.versions));
  outcome.undisturbed_time = Clock::System()->Now() - start;
  if (outcome.digest != outcome.undisturbed) {
    outcome.audit.faults.push_back(
        absl::StrCat("the model is ", outcome.digest, ", undisturbed ", outcome.undisturbed));
  }
  return outcome;
}

std::string Seconds(absl::Duration duration) { return absl::StrFormat("%.0f s", absl::ToDoubleSeconds(duration)); }

std::string Table(const Flags& flags, const Outcome& outcome) {
  const KillCounts& kills = outcome.kills;
  std::string text =
      absl::StrCat("# A thousand kills of the server, a thousand of the clients\n\nMade by `./run soak --server-kills=",
                   flags.soak.server_kills, " --client-kills=", flags.soak.client_kills, " --seed=", flags.soak.seed,
                   "` on ", absl::FormatTime("%Y-%m-%d", absl::Now(), absl::UTCTimeZone()), ": one server and ",
                   flags.soak.clients, " echo clients,\n", flags.soak.parameters,
                   " parameters, S1E3M7 both ways, FedAvgM, all of it synced. All are killed with SIGKILL and started "
                   "again on their\n"
                   "state folders; the run goes on throughout.\n\n| | |\n| --- | --- |\n");
  const auto row = [&text](const std::string& name, const std::string& value) {
    absl::StrAppend(&text, "| ", name, " | ", value, " |\n");
  };
  row("server killed while it started", absl::StrCat(kills.starting));
  row("server killed at a random instant while it served", absl::StrCat(kills.serving));
  row("server killed at a fail-point between first byte and published version", absl::StrCat(kills.at_fail_point));
  row("clients killed at a random instant", absl::StrCat(kills.clients));
  row("rounds published meanwhile", absl::StrCat(outcome.audit.versions));
  row("updates in them", absl::StrCat(outcome.audit.folded));
  row("acknowledgements that clients logged", absl::StrCat(outcome.audit.receipts));
  row("acknowledged updates lost or doubled, versions missing, other faults",
      absl::StrCat(outcome.audit.faults.size()));
  row("final model", absl::StrCat("`", outcome.digest.substr(0, 16), "`"));
  row("the same rounds undisturbed", absl::StrCat("`", outcome.undisturbed.substr(0, 16), "`"));
  row("time with kills of the server, of clients, undisturbed",
      absl::StrCat(Seconds(outcome.with_server_kills), ", ", Seconds(outcome.with_client_kills), ", ",
                   Seconds(outcome.undisturbed_time)));
  return text;
}

int Main(const std::vector<std::string>& arguments) {
  const absl::StatusOr<Flags> flags = ParseFlags(arguments);
  if (!flags.ok()) {
    std::fprintf(stderr, "kill_soak: %s\n", std::string(flags.status().message()).c_str());
    return 2;
  }
  const absl::StatusOr<Outcome> outcome = Run(*flags);
  if (!outcome.ok()) {
    std::fprintf(stderr, "kill_soak: %s\n", outcome.status().ToString().c_str());
    return 1;
  }
  for (const std::string& fault : outcome->audit.faults) std::printf("FAULT %s\n", fault.c_str());
  const std::string table = Table(*flags, *outcome);
  std::printf("%s", table.c_str());
  if (!flags->table.empty()) {
    const absl::Status written = WriteFileAtomically(flags->table, table);
    if (!written.ok()) std::fprintf(stderr, "kill_soak: %s\n", written.ToString().c_str());
  }
  return outcome->audit.faults.empty() ? 0 : 1;
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) { return thinwire::Main(std::vector<std::string>(argv + 1, argv + argc)); }
