// What must be true of a run's journal and its clients' receipts, however often its processes were killed.
#ifndef THINWIRE_TESTS_BENCH_SOAK_SOAK_CHECK_H_
#define THINWIRE_TESTS_BENCH_SOAK_SOAK_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace thinwire {

struct SoakAudit {
  uint64_t versions = 0;  // published rounds
  uint64_t folded = 0;    // updates in them
  uint64_t receipts = 0;  // acknowledgements that clients have logged
  std::vector<std::string> faults;
};

// Reads the journal of a server that has ended. Each receipt is "ASSIGNMENT STATE". Faults: a published round that
// lacks one of the `clients`' updates or counts one twice, a version that is missing, a round that failed though nobody
// stopped it, an acknowledged update that is in no version.
absl::StatusOr<SoakAudit> AuditRun(const std::string& journal_path, const std::vector<std::string>& receipts,
                                   int clients);

}  // namespace thinwire

#endif  // THINWIRE_TESTS_BENCH_SOAK_SOAK_CHECK_H_
