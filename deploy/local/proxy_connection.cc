#include "deploy/local/proxy_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace thinwire {
namespace {

constexpr size_t kReadSize = 64 * 1024;
constexpr size_t kRoom = 256 * 1024;
// With a delay, what is under way is rate times delay, however large; this is a memory bound.
constexpr size_t kRoomWithDelay = 16 * 1024 * 1024;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

ProxyConnection::ProxyConnection(UniqueFd client, UniqueFd server) : sockets_{std::move(client), std::move(server)} {}

size_t ProxyConnection::RoomFor(const ProxyLink& link) {
  return link.delay > absl::ZeroDuration() ? kRoomWithDelay : kRoom;
}

std::array<pollfd, 2> ProxyConnection::Interest() const {
  std::array<pollfd, 2> interest{};
  for (size_t side = 0; side < 2; ++side) {
    short events = 0;
    if (!pipes_[side].ended && !full_[side]) events |= POLLIN;
    if (pipes_[1 - side].blocked) events |= POLLOUT;
    // A socket of no interest is left out: poll would report its hang-up again and again.
    interest[side] = {events == 0 ? -1 : sockets_[side].get(), events, 0};
  }
  return interest;
}

ProxyConnection::Outcome ProxyConnection::Pump(const std::array<pollfd, 2>& seen, Monotonic now, ProxyLinks* links) {
  constexpr short kTrouble = POLLERR | POLLHUP | POLLNVAL;
  for (size_t d = 0; d < 2; ++d) {
    ProxyLink* link = &(*links)[d];
    if ((seen[d].revents & (POLLIN | kTrouble)) != 0 && (seen[d].events & POLLIN) != 0 && !Read(d, now, *link)) {
      return Outcome::kBroken;
    }
    if ((seen[1 - d].revents & (POLLOUT | kTrouble)) != 0) pipes_[d].blocked = false;
    const Outcome outcome = Write(d, now, link);
    if (outcome != Outcome::kOpen) return outcome;
    full_[d] = pipes_[d].queue.size() >= RoomFor(*link);
  }
  return pipes_[0].shut && pipes_[1].shut ? Outcome::kFinished : Outcome::kOpen;
}

// Queues what the sender of `direction` has sent. False: the connection is broken.
bool ProxyConnection::Read(size_t direction, Monotonic now, const ProxyLink& link) {
  char buffer[kReadSize];
  const ssize_t count = recv(sockets_[direction].get(), buffer, sizeof(buffer), 0);
  if (count < 0) return WouldBlock();
  if (count == 0) {
    pipes_[direction].ended = true;
  } else {
    pipes_[direction].queue.Append(absl::string_view(buffer, static_cast<size_t>(count)), now + link.delay);
  }
  return true;
}

ProxyConnection::Outcome ProxyConnection::Write(size_t direction, Monotonic now, ProxyLink* link) {
  Pipe& pipe = pipes_[direction];
  const int receiver = sockets_[1 - direction].get();
  while (!pipe.blocked) {
    const absl::string_view front = pipe.queue.Front(now);
    uint64_t allowed = std::min<uint64_t>(front.size(), link->bucket.Available(now));
    if (link->cut_after) allowed = std::min(allowed, *link->cut_after);
    if (allowed == 0) break;
    const ssize_t sent = send(receiver, front.data(), allowed, MSG_NOSIGNAL);
    if (sent < 0 && !WouldBlock()) return Outcome::kBroken;
    pipe.blocked = sent < 0;
    if (sent < 0) break;
    const auto count = static_cast<uint64_t>(sent);
    pipe.queue.Consume(count);
    pipe.carried += count;
    link->carried += count;
    link->bucket.Spend(count);
    if (link->cut_after && (*link->cut_after -= count) == 0) {
      link->cut_after.reset();
      return Outcome::kCut;
    }
  }
  if (pipe.ended && !pipe.shut && pipe.queue.size() == 0) {
    shutdown(receiver, SHUT_WR);
    pipe.shut = true;
  }
  return Outcome::kOpen;
}

std::optional<absl::Duration> ProxyConnection::Wait(Monotonic now, const ProxyLinks& links) const {
  std::optional<absl::Duration> wait;
  for (size_t d = 0; d < 2; ++d) {
    const std::optional<Monotonic> ready = pipes_[d].queue.NextReady();
    if (!ready || pipes_[d].blocked) continue;
    const absl::Duration own = *ready > now ? *ready - now : links[d].bucket.Refill();
    wait = std::min(own, wait.value_or(own));
  }
  return wait;
}

void ProxyConnection::Reset() {
  for (UniqueFd& socket : sockets_) CloseWithReset(&socket);
}

}  // namespace thinwire
