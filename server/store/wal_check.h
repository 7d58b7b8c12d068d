// Damage in the middle of SQLite's write-ahead log. SQLite takes the first frame whose checksum fails for the end of
// the log, which is right for a log that a crash has torn. Behind damage in the middle it would drop commits that had
// been acknowledged, without a word. Format: https://www.sqlite.org/fileformat2.html#walformat
#ifndef THINWIRE_SERVER_STORE_WAL_CHECK_H_
#define THINWIRE_SERVER_STORE_WAL_CHECK_H_

#include <string>

#include "absl/status/status.h"

namespace thinwire {

// Before the database is opened, with its lock held. OK if there is no log at `path`, if it is whole, or if only its
// last transaction is torn: each commit is synced before the next begins, so that one had not been acknowledged.
// DATA_LOSS, naming the byte and the way out, if commits follow a damaged frame.
absl::Status CheckWal(const std::string& path);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_WAL_CHECK_H_
