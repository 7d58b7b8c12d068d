// What the parts of a running server share. Plain pointers; whoever assembles the server owns what they point to and
// destroys it after those who use it.
#ifndef THINWIRE_SERVER_SERVICE_RUN_PARTS_H_
#define THINWIRE_SERVER_SERVICE_RUN_PARTS_H_

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/worker_pool.h"
#include "server/config/config.h"
#include "server/http/metrics.h"
#include "server/service/client_registry.h"
#include "server/service/open_uploads.h"
#include "server/service/status_board.h"
#include "server/service/traffic_meter.h"
#include "server/store/journal.h"
#include "server/store/model_store.h"
#include "server/store/spool.h"

namespace thinwire {

constexpr size_t kDriverQueue = 65'536;

struct RunParts {
  ServerConfig config;
  Clock* clock = nullptr;
  Journal* journal = nullptr;
  ModelStore* models = nullptr;
  Spool* spool = nullptr;
  Metrics* metrics = nullptr;
  TrafficMeter* traffic = nullptr;
  ClientRegistry* clients = nullptr;
  StatusBoard* board = nullptr;
  OpenUploads* uploads = nullptr;
  WorkerPool* workers = nullptr;  // folds and publications
  WorkerPool* io = nullptr;       // chunks in and out of files
  // How long an AwaitAssignment is held before the client is told to come back.
  absl::Duration hold_time = absl::Minutes(1);
  size_t driver_queue = kDriverQueue;  // requests that may wait for the driver
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_RUN_PARTS_H_
