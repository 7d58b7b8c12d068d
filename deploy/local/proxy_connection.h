// One connection through the proxy: two sockets and the bytes under way between them.
#ifndef THINWIRE_DEPLOY_LOCAL_PROXY_CONNECTION_H_
#define THINWIRE_DEPLOY_LOCAL_PROXY_CONNECTION_H_

#include <poll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "deploy/local/delay_queue.h"
#include "deploy/local/sockets.h"

namespace thinwire {

// kUp: from the side that dialled to the side that listens.
enum class WireDirection { kUp = 0, kDown = 1 };

// One direction of the wire that all connections of a proxy share.
struct ProxyLink {
  TokenBucket bucket;
  absl::Duration delay;
  uint64_t carried = 0;               // bytes passed on, of all connections
  std::optional<uint64_t> cut_after;  // bytes left until the wire is cut
};
using ProxyLinks = std::array<ProxyLink, 2>;

// Not thread-safe. Bytes count when they are passed on; what a broken connection still held is lost and not counted, as
// on a network.
class ProxyConnection {
 public:
  enum class Outcome { kOpen, kFinished, kBroken, kCut };

  ProxyConnection(UniqueFd client, UniqueFd server);

  // What poll(2) has to watch: the client's socket, then the server's. fd -1 where there is nothing to watch.
  std::array<pollfd, 2> Interest() const;
  // Moves what can be moved without waiting; `seen` is Interest's answer as poll filled it.
  // kCut: the last byte before the cut has left, in `links` the cut is disarmed.
  Outcome Pump(const std::array<pollfd, 2>& seen, Monotonic now, ProxyLinks* links);
  // How long until bytes that wait for time, not for a socket, can move on. nullopt: none do.
  std::optional<absl::Duration> Wait(Monotonic now, const ProxyLinks& links) const;
  void Reset();
  uint64_t carried(WireDirection direction) const { return pipes_[static_cast<size_t>(direction)].carried; }

 private:
  struct Pipe {
    DelayQueue queue;
    bool ended = false;    // the sender has sent all; what is queued is still to go
    bool shut = false;     // the receiver has been told so
    bool blocked = false;  // the receiver's socket is full
    uint64_t carried = 0;
  };
  static size_t RoomFor(const ProxyLink& link);

  bool Read(size_t direction, Monotonic now, const ProxyLink& link);
  Outcome Write(size_t direction, Monotonic now, ProxyLink* link);

  // sockets_[d] is the sender of direction d: the client's for kUp, the server's for kDown.
  std::array<UniqueFd, 2> sockets_;
  std::array<Pipe, 2> pipes_;
  std::array<bool, 2> full_{};  // no more is read in that direction until some of it has gone
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_PROXY_CONNECTION_H_
