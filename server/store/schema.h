// The journal's tables, and the steps from each schema to the next.
#ifndef THINWIRE_SERVER_STORE_SCHEMA_H_
#define THINWIRE_SERVER_STORE_SCHEMA_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/store/sqlite.h"

namespace thinwire {

// In SQLite's header, for file(1) and for telling a journal from other databases: "TWJ1".
constexpr int kJournalApplicationId = 0x54574a31;

// Step i leads from schema i to schema i + 1; an empty file is schema 0. A released step never changes.
const std::vector<std::string>& JournalMigrations();

// Brings `db` up to the newest schema, each step in a transaction of its own. FAILED_PRECONDITION if it is newer,
// DATA_LOSS if it is another program's database.
absl::Status Migrate(Database& db, const std::vector<std::string>& steps);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_SCHEMA_H_
