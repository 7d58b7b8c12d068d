#include "server/service/health.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "server/service/service_parts.h"
#include "thinwire/v1/control.grpc.pb.h"
#include "thinwire/v1/federation.grpc.pb.h"

namespace thinwire {
namespace {

absl::Status RunStatus(const v1::Status& status) {
  if (status.state() != v1::RUN_STATE_FAILED) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the run has failed: ", status.reason()));
}

}  // namespace

void Health::Port::Open(grpc::HealthCheckServiceInterface* health, const std::string& service) {
  health_ = health;
  service_ = service;
}

void Health::Port::Tell(bool serving) {
  if (health_ == nullptr || told_ == serving) return;
  told_ = serving;
  health_->SetServingStatus(service_, serving);
  health_->SetServingStatus("", serving);  // asked by probes that know of no service
}

Health::Health(Clock* clock, RunDriver* driver, StatusBoard* board, HealthTiming timing)
    : clock_(clock),
      driver_(driver),
      board_(board),
      timing_(timing),
      beat_(absl::UnavailableError("the server has just begun")),
      alarm_(clock, [this] { OnAlarm(); }) {}

Health::~Health() { Leave(); }

void Health::Start(grpc::HealthCheckServiceInterface* federation, grpc::HealthCheckServiceInterface* control) {
  {
    MutexLock lock(mutex_);
    federation_.Open(federation, v1::Federation::service_full_name());
    control_.Open(control, v1::Control::service_full_name());
  }
  watch_ = board_->Watch([this](const std::shared_ptr<const StatusSnapshot>& snapshot) {
    if (snapshot == nullptr) return;
    MutexLock lock(mutex_);
    run_ = RunStatus(snapshot->status);
    TellLocked();
  });
  OnAlarm();
}

void Health::Leave() {
  alarm_.Stop();
  if (watch_.has_value()) board_->Unwatch(*watch_);
  watch_.reset();
  MutexLock lock(mutex_);
  leaving_ = true;
  TellLocked();
  federation_.Open(nullptr, "");
  control_.Open(nullptr, "");
}

absl::Status Health::Alive() const {
  MutexLock lock(mutex_);
  return AliveLocked();
}

absl::Status Health::Ready() const {
  MutexLock lock(mutex_);
  return ReadyLocked();
}

void Health::OnAlarm() {
  bool send = false;
  {
    MutexLock lock(mutex_);
    send = !sent_at_.has_value();
    if (send) sent_at_ = clock_->Now();
    TellLocked();
  }
  if (send) driver_->Beat([this](const absl::Status& driver) { BeatArrived(driver); });
  alarm_.Arm(clock_->Now() + timing_.beat_every);
}

void Health::BeatArrived(const absl::Status& driver) {
  MutexLock lock(mutex_);
  sent_at_.reset();
  beat_ = driver;
  TellLocked();
}

absl::Status Health::AliveLocked() const {
  if (!sent_at_.has_value()) return absl::OkStatus();
  const absl::Duration age = clock_->Now() - *sent_at_;
  if (age <= timing_.late_after) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the run's driver has taken no work for ",
                                             absl::FormatDuration(absl::Trunc(age, absl::Seconds(1)))));
}

absl::Status Health::ReadyLocked() const {
  if (leaving_) return ServerLeaving();
  TW_RETURN_IF_ERROR(AliveLocked());
  TW_RETURN_IF_ERROR(beat_);
  return run_;
}

void Health::TellLocked() {
  federation_.Tell(ReadyLocked().ok());
  control_.Tell(!leaving_ && AliveLocked().ok());
}

}  // namespace thinwire
