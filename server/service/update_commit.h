// The step that makes a complete upload an acknowledged one.
#ifndef THINWIRE_SERVER_SERVICE_UPDATE_COMMIT_H_
#define THINWIRE_SERVER_SERVICE_UPDATE_COMMIT_H_

#include <string>

#include "absl/status/statusor.h"
#include "server/service/run_parts.h"
#include "server/store/journal.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// Writes the update whose complete spool file is `file` into the journal and returns its row; if that is kReceived, the
// driver must hear of it. A file that is of no use, because its assignment is gone or decided, is discarded. If the
// journal cannot take it down, e.g. on a full disk, the file stays, and the client asks again without sending it once
// more. On the I/O pool.
absl::StatusOr<UpdateRow> CommitUpdate(const RunParts& parts, const v1::UploadHeader& header, WorkKind kind,
                                       const std::string& file);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_UPDATE_COMMIT_H_
