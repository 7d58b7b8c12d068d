// A TCP proxy on 127.0.0.1 that counts what it carries and breaks on demand. It is how demo, tests and experiments read
// wire_bytes, TCP payload in each direction, and how tests cut a connection at an exact byte.
#ifndef THINWIRE_DEPLOY_LOCAL_TCP_PROXY_H_
#define THINWIRE_DEPLOY_LOCAL_TCP_PROXY_H_

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "deploy/local/proxy_connection.h"
#include "deploy/local/sockets.h"

namespace thinwire {

struct WireBytes {
  uint64_t up = 0;    // towards the server
  uint64_t down = 0;  // towards the clients
};

struct ProxyStats {
  WireBytes total;
  std::vector<WireBytes> connections;  // in order of arrival, closed ones too; the newest 4,096
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t cuts = 0;
};

// Thread-safe. One thread of its own moves the bytes, from Start to destruction; destruction resets what is open.
class TcpProxy {
 public:
  // Listens on a free port and passes each connection on to `upstream`, "127.0.0.1:PORT". The upstream need not be
  // there yet; a connection that finds nobody is reset.
  static absl::StatusOr<std::unique_ptr<TcpProxy>> Start(absl::string_view upstream);
  ~TcpProxy();

  // "127.0.0.1:PORT", where clients dial.
  std::string address() const;
  ProxyStats stats() const;
  // For connections from now on: a server that came back on another port.
  absl::Status SetUpstream(absl::string_view upstream);

  // Resets every connection once, as soon as `bytes` (at least 1) more have passed in `direction`. Bytes under way
  // in the other direction are lost. New connections pass. A second call replaces the first.
  void CutAfter(WireDirection direction, uint64_t bytes);
  void CutNow();
  // New connections are reset at once.
  void RefuseNew(bool refuse);
  // Holds every byte back by `delay`, one way.
  void SetDelay(WireDirection direction, absl::Duration delay);
  // All connections together; 0 = no limit.
  void SetRate(WireDirection direction, uint64_t bytes_per_second);

  // Waits until that many bytes have passed in `direction` since the start; false after `timeout`.
  bool WaitUntilCarried(WireDirection direction, uint64_t bytes, absl::Duration timeout) const;
  // Waits until that many cuts have happened since the start; false after `timeout`.
  bool WaitUntilCut(uint64_t cuts, absl::Duration timeout) const;

 private:
  struct Slot {
    ProxyConnection connection;
    size_t record;  // index in records_ plus dropped_records_
    bool over;
  };

  TcpProxy(UniqueFd listener, UniqueFd wake, uint16_t port, uint16_t upstream);
  void Loop() TW_EXCLUDES(mutex_);
  std::vector<pollfd> PollSet(int* timeout_ms) const TW_REQUIRES(mutex_);
  void Serve(const std::vector<pollfd>& seen) TW_REQUIRES(mutex_);
  void Accept() TW_REQUIRES(mutex_);
  void PumpAll(const std::vector<pollfd>& seen) TW_REQUIRES(mutex_);
  void ResetAll() TW_REQUIRES(mutex_);
  // `counter` is a member guarded by mutex_.
  bool WaitFor(const uint64_t& counter, uint64_t value, absl::Duration timeout) const TW_REQUIRES(mutex_);
  // Makes the loop look at changed settings.
  void Wake() const;
  ProxyLink& link(WireDirection direction) TW_REQUIRES(mutex_) { return links_[static_cast<size_t>(direction)]; }

  const UniqueFd listener_;
  const UniqueFd wake_;
  const uint16_t port_;

  mutable Mutex mutex_;
  mutable CondVar progress_;
  uint16_t upstream_ TW_GUARDED_BY(mutex_);
  bool stopping_ TW_GUARDED_BY(mutex_) = false;
  bool refuse_ TW_GUARDED_BY(mutex_) = false;
  ProxyLinks links_ TW_GUARDED_BY(mutex_);
  std::vector<Slot> slots_ TW_GUARDED_BY(mutex_);
  std::deque<WireBytes> records_ TW_GUARDED_BY(mutex_);
  size_t dropped_records_ TW_GUARDED_BY(mutex_) = 0;
  uint64_t accepted_ TW_GUARDED_BY(mutex_) = 0;
  uint64_t refused_ TW_GUARDED_BY(mutex_) = 0;
  uint64_t cuts_ TW_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_TCP_PROXY_H_
