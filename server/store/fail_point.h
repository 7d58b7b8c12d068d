// Named instants at which a test can make the process die as if by kill -9, to prove that nothing durable depends on
// dying politely. Nothing is read from the environment: a test or a program's hidden flag arms one point.
#ifndef THINWIRE_SERVER_STORE_FAIL_POINT_H_
#define THINWIRE_SERVER_STORE_FAIL_POINT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace thinwire {

enum class FailPoint {
  kAfterSpoolWrite,      // a chunk of an upload is in its partial file
  kBeforeSpoolRename,    // a complete update is synced, still under its partial name
  kAfterSpoolRename,     // ... has its final name, the journal does not know it
  kBeforeReceiveCommit,  // the journal's transaction is built, not committed
  kAfterReceiveCommit,   // ... committed; the client has not been answered
  kAfterBasisWrite,      // the next epoch's basis and history are written under temporary names
  kAfterBasisRename,     // ... have their final names, the journal does not know them
  kAfterVersionWrite,    // a new version's files are written under temporary names
  kAfterVersionRename,   // ... have their final names, the journal does not know them
  kBeforePublishCommit,
  kAfterPublishCommit,  // the version is current; old versions and spool files are still there
};

// Arms "NAME" or "NAME:N": the process dies at the N-th passage (default the first). The names are those above in kebab
// case: after-spool-write, ... INVALID_ARGUMENT, listing the names, for any other text. An empty text disarms.
absl::Status ArmFailPoint(const std::string& text);
// Every name, for --help.
std::vector<std::string> FailPointNames();

// Dies by SIGKILL if `point` is armed and due. Costs one relaxed atomic load otherwise. Thread-safe.
void PassFailPoint(FailPoint point);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_FAIL_POINT_H_
