// Transcripts: a run told as commands and what the coordinator answers, after etcd-io/raft's testdata.
//
// A file is a list of blocks: comment lines (#), command lines, "----", the exact answer, an empty line. Commands:
//
//   run [rounds=N] [clients=N] [invited=N] [min_updates=N] [deadline=D] [invite_wait=D] [max_failed_rounds=N]
//       [evaluate_every=N] [final_evaluation_wait=D] [max_unevaluated=N] [seed=N] [initial=file|client]
//                        a new run with an empty journal (version 0 is in it if initial=file, the default);
//                        defaults: one round, one client, nothing evaluated, deadline 60s
//   wait C...            these trainers wait for work            evaluator E...   these evaluators do
//   unwait C             its call ended                          gone C REASON    it left, or its lease ran out
//   commit ID            its update becomes durable              received ID      the coordinator hears of it
//   upload ID            both, unless it comes too late          folded ID        a worker has folded it
//   failed ID REASON     a worker could not use it               client-failed ID REASON   the client says so
//   published [V]        the version under way (or V) is durable publish-failed REASON
//   aborted N REASON     the server cannot go on with round N    evaluated ID     the evaluation is reported
//   stop REASON          an operator stops the run               advance D        time passes
//   status               everything the coordinator tells about itself
//   kill                 the server is killed and restarted from its journal
//   crash N COMMAND      the same, after N of the command's effects were journaled
//
// The answer is one line per effect and, last, "=> " with the state and what is waited for.
#ifndef THINWIRE_TESTS_SIMULATION_TRANSCRIPT_H_
#define THINWIRE_TESTS_SIMULATION_TRANSCRIPT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "server/round/round_coordinator.h"
#include "tests/simulation/model_journal.h"

namespace thinwire {

// Answers commands. Not thread-safe.
class TranscriptRunner {
 public:
  // The effects of one command, one a line. A bad command answers with a line that starts with "error".
  std::string Run(const std::string& command);
  // "=> ...".
  std::string StateLine() const;

 private:
  using Words = std::vector<std::string>;
  std::string NewRun(const Words& words);
  std::string Wait(const Words& words, Role role);
  std::string Commit(const std::string& id);
  std::string Upload(const std::string& id);
  std::string Published(const Words& words);
  std::string Evaluated(const std::string& id);
  std::string Advance(const std::string& duration);
  std::string StatusText() const;
  std::string Restart();
  std::string Crash(const Words& words);
  std::optional<Event> EventOf(const Words& words) const;
  std::string Apply(const Event& event);
  std::string Answer(const std::vector<Effect>& effects);

  RoundOptions options_;
  FakeClock clock_;
  std::unique_ptr<ModelJournal> journal_;
  std::unique_ptr<RoundCoordinator> coordinator_;
  std::optional<CloseRound> closing_;
  std::optional<size_t> effects_until_crash_;
};

// The text of a transcript with its answers made anew.
std::string RewriteTranscript(const std::string& text);

}  // namespace thinwire

#endif  // THINWIRE_TESTS_SIMULATION_TRANSCRIPT_H_
