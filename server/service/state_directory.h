// Everything durable of a run, open.
#ifndef THINWIRE_SERVER_SERVICE_STATE_DIRECTORY_H_
#define THINWIRE_SERVER_SERVICE_STATE_DIRECTORY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "server/config/config.h"
#include "server/service/run_restore.h"
#include "server/store/journal.h"
#include "server/store/model_store.h"
#include "server/store/spool.h"

namespace thinwire {

struct StateDirectory {
  std::unique_ptr<Journal> journal;
  std::unique_ptr<ModelStore> models;
  std::unique_ptr<Spool> spool;
  RestoredState restored;
};

// Where a server writes its addresses for others to find, while it serves.
std::string EndpointsPath(const ServerConfig& config);

// Opens storage.directory, creates it if absent, removes the addresses of the server before, repairs what a crash left,
// imports initial weights from their file. INVALID_ARGUMENT: the configuration's fault (it is another run's, or its
// model file is bad). Any other error: the directory cannot be used.
absl::StatusOr<StateDirectory> OpenStateDirectory(const ServerConfig& config, Clock* clock);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_STATE_DIRECTORY_H_
