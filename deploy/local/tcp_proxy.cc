#include "deploy/local/tcp_proxy.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr size_t kMaxRecords = 4096;
// Places in the poll set before those of the connections, two each.
constexpr size_t kWakeAt = 0, kListenerAt = 1, kConnectionsAt = 2;

Monotonic Now() { return Clock::System()->Now(); }

// poll(2) takes whole milliseconds; rounded up, so that the loop doesn't spin just before the time.
int PollTimeout(absl::Duration wait) {
  const double ms = std::ceil(absl::ToDoubleMilliseconds(wait));
  return static_cast<int>(std::min(std::max(ms, 0.0), 1e9));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TcpProxy>> TcpProxy::Start(absl::string_view upstream) {
  TW_ASSIGN_OR_RETURN(const uint16_t upstream_port, LoopbackPort(upstream));
  TW_ASSIGN_OR_RETURN(UniqueFd listener, ListenOnLoopback());
  TW_ASSIGN_OR_RETURN(const uint16_t port, LocalPort(listener));
  UniqueFd wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake.valid()) return SystemError("eventfd");
  return std::unique_ptr<TcpProxy>(new TcpProxy(std::move(listener), std::move(wake), port, upstream_port));
}

TcpProxy::TcpProxy(UniqueFd listener, UniqueFd wake, uint16_t port, uint16_t upstream)
    : listener_(std::move(listener)), wake_(std::move(wake)), port_(port), upstream_(upstream) {
  thread_ = std::thread([this] { Loop(); });
}

TcpProxy::~TcpProxy() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  MutexLock lock(mutex_);
  ResetAll();
}

void TcpProxy::Loop() {
  while (true) {
    std::vector<pollfd> set;
    int timeout_ms = -1;
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      set = PollSet(&timeout_ms);
    }
    poll(set.data(), set.size(), timeout_ms);
    MutexLock lock(mutex_);
    Serve(set);
  }
}

std::vector<pollfd> TcpProxy::PollSet(int* timeout_ms) const {
  std::vector<pollfd> set(kConnectionsAt);
  set[kWakeAt] = {wake_.get(), POLLIN, 0};
  set[kListenerAt] = {listener_.get(), POLLIN, 0};
  absl::Duration wait = absl::InfiniteDuration();
  for (const Slot& slot : slots_) {
    const std::array<pollfd, 2> interest = slot.connection.Interest();
    set.insert(set.end(), interest.begin(), interest.end());
    wait = std::min(wait, slot.connection.Wait(Now(), links_).value_or(absl::InfiniteDuration()));
  }
  *timeout_ms = wait == absl::InfiniteDuration() ? -1 : PollTimeout(wait);
  return set;
}

void TcpProxy::Serve(const std::vector<pollfd>& seen) {
  uint64_t ignored = 0;
  if (seen[kWakeAt].revents != 0 && read(wake_.get(), &ignored, sizeof(ignored)) < 0) return;
  PumpAll(seen);
  if (seen[kListenerAt].revents != 0) Accept();
  progress_.NotifyAll();
}

void TcpProxy::PumpAll(const std::vector<pollfd>& seen) {
  using Outcome = ProxyConnection::Outcome;
  const Monotonic now = Now();
  // CutNow may have emptied slots_ since `seen` was made; only this thread adds to them or reorders them.
  const size_t count = std::min(slots_.size(), (seen.size() - kConnectionsAt) / 2);
  for (size_t i = 0; i < count; ++i) {
    Slot& slot = slots_[i];
    const size_t at = kConnectionsAt + 2 * i;
    const Outcome outcome = slot.connection.Pump({seen[at], seen[at + 1]}, now, &links_);
    if (slot.record >= dropped_records_) {
      records_[slot.record - dropped_records_] = {slot.connection.carried(WireDirection::kUp),
                                                  slot.connection.carried(WireDirection::kDown)};
    }
    if (outcome == Outcome::kCut) {
      ResetAll();
      ++cuts_;
      return;
    }
    if (outcome == Outcome::kBroken) slot.connection.Reset();
    slot.over = outcome != Outcome::kOpen;
  }
  slots_.erase(std::remove_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.over; }), slots_.end());
}

void TcpProxy::Accept() {
  while (true) {
    UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client.valid()) return;
    absl::StatusOr<UniqueFd> server =
        refuse_ ? absl::UnavailableError("new connections are refused") : ConnectToLoopback(upstream_);
    if (!server.ok()) {
      ++refused_;
      CloseWithReset(&client);
      continue;
    }
    DisableNagle(client);
    ++accepted_;
    records_.push_back({});
    slots_.push_back(
        {ProxyConnection(std::move(client), *std::move(server)), dropped_records_ + records_.size() - 1, false});
    if (records_.size() > kMaxRecords) {
      records_.pop_front();
      ++dropped_records_;
    }
  }
}

void TcpProxy::ResetAll() {
  for (Slot& slot : slots_) slot.connection.Reset();
  slots_.clear();
}

void TcpProxy::Wake() const {
  const uint64_t one = 1;
  // Fails only when a wake-up is pending already.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

std::string TcpProxy::address() const { return absl::StrCat("127.0.0.1:", port_); }

ProxyStats TcpProxy::stats() const {
  MutexLock lock(mutex_);
  ProxyStats stats;
  stats.total = {links_[0].carried, links_[1].carried};
  stats.connections.assign(records_.begin(), records_.end());
  stats.accepted = accepted_;
  stats.refused = refused_;
  stats.cuts = cuts_;
  return stats;
}

absl::Status TcpProxy::SetUpstream(absl::string_view upstream) {
  TW_ASSIGN_OR_RETURN(const uint16_t port, LoopbackPort(upstream));
  MutexLock lock(mutex_);
  upstream_ = port;
  return absl::OkStatus();
}

void TcpProxy::CutAfter(WireDirection direction, uint64_t bytes) {
  MutexLock lock(mutex_);
  for (ProxyLink& each : links_) each.cut_after.reset();
  link(direction).cut_after = std::max<uint64_t>(bytes, 1);
}

void TcpProxy::CutNow() {
  MutexLock lock(mutex_);
  ResetAll();
  ++cuts_;
  progress_.NotifyAll();
  Wake();
}

void TcpProxy::RefuseNew(bool refuse) {
  MutexLock lock(mutex_);
  refuse_ = refuse;
}

void TcpProxy::SetDelay(WireDirection direction, absl::Duration delay) {
  MutexLock lock(mutex_);
  link(direction).delay = delay;
}

void TcpProxy::SetRate(WireDirection direction, uint64_t bytes_per_second) {
  MutexLock lock(mutex_);
  link(direction).bucket.SetRate(bytes_per_second, Now());
  Wake();
}

bool TcpProxy::WaitUntilCarried(WireDirection direction, uint64_t bytes, absl::Duration timeout) const {
  MutexLock lock(mutex_);
  return WaitFor(links_[static_cast<size_t>(direction)].carried, bytes, timeout);
}

bool TcpProxy::WaitUntilCut(uint64_t cuts, absl::Duration timeout) const {
  MutexLock lock(mutex_);
  return WaitFor(cuts_, cuts, timeout);
}

bool TcpProxy::WaitFor(const uint64_t& counter, uint64_t value, absl::Duration timeout) const {
  const Monotonic deadline = Now() + timeout;
  while (counter < value) {
    const absl::Duration left = deadline - Now();
    if (left <= absl::ZeroDuration()) return false;
    progress_.WaitFor(mutex_, absl::ToChronoNanoseconds(left));
  }
  return true;
}

}  // namespace thinwire
