// What /healthz, /readyz and gRPC's health service say. Every few seconds a beat goes through the driver's queue and
// brings back whether the run can go on; who asks is answered from the last one and waits for nobody.
#ifndef THINWIRE_SERVER_SERVICE_HEALTH_H_
#define THINWIRE_SERVER_SERVICE_HEALTH_H_

#include <grpcpp/health_check_service_interface.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "server/service/alarm.h"
#include "server/service/run_driver.h"
#include "server/service/status_board.h"

namespace thinwire {

struct HealthTiming {
  absl::Duration beat_every = absl::Seconds(5);
  // A beat that has been on its way for longer is late. A sync of a busy disk takes seconds; a restart takes more.
  absl::Duration late_after = absl::Seconds(20);
};

// Thread-safe.
class Health {
 public:
  // All three must outlive it; Shutdown the driver before it goes, which may hold a beat.
  Health(Clock* clock, RunDriver* driver, StatusBoard* board, HealthTiming timing);
  ~Health();

  // Sends the first beat, and from now on tells gRPC: the federation's port serves while the server is ready, the
  // control port while it is alive, since an operator is to see why a run has failed. They must live until Leave.
  void Start(grpc::HealthCheckServiceInterface* federation, grpc::HealthCheckServiceInterface* control);
  // The server is leaving: nothing serves from now on. Idempotent.
  void Leave();

  // OK while the driver takes its work; else UNAVAILABLE, saying for how long it has not: a restart is due.
  absl::Status Alive() const;
  // OK if clients can take part; else why not: it is leaving, the driver hangs or cannot go on, the run has failed.
  absl::Status Ready() const;

 private:
  // One port's gRPC health service.
  class Port {
   public:
    void Open(grpc::HealthCheckServiceInterface* health, const std::string& service);
    // Says so if it is news: who watches would hear each repetition.
    void Tell(bool serving);

   private:
    grpc::HealthCheckServiceInterface* health_ = nullptr;
    std::string service_;
    std::optional<bool> told_;
  };

  void OnAlarm();
  void BeatArrived(const absl::Status& driver);
  absl::Status AliveLocked() const TW_REQUIRES(mutex_);
  absl::Status ReadyLocked() const TW_REQUIRES(mutex_);
  void TellLocked() TW_REQUIRES(mutex_);

  Clock* const clock_;
  RunDriver* const driver_;
  StatusBoard* const board_;
  const HealthTiming timing_;
  mutable Mutex mutex_;
  std::optional<Monotonic> sent_at_ TW_GUARDED_BY(mutex_);  // of the beat that is on its way
  absl::Status beat_ TW_GUARDED_BY(mutex_);                 // what the last one brought
  absl::Status run_ TW_GUARDED_BY(mutex_);                  // OK unless the run has failed
  bool leaving_ TW_GUARDED_BY(mutex_) = false;
  Port federation_ TW_GUARDED_BY(mutex_);
  Port control_ TW_GUARDED_BY(mutex_);
  std::optional<uint64_t> watch_;
  Alarm alarm_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_HEALTH_H_
