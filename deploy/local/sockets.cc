#include "deploy/local/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr int kBacklog = 1024;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

absl::StatusOr<UniqueFd> NewSocket() {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return SystemError("socket");
  return socket;
}

}  // namespace

void UniqueFd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::Status SystemError(absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(errno)));
}

absl::StatusOr<UniqueFd> ListenOnLoopback() {
  TW_ASSIGN_OR_RETURN(UniqueFd socket, NewSocket());
  const sockaddr_in address = Loopback(0);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return SystemError("bind to 127.0.0.1");
  }
  if (listen(socket.get(), kBacklog) != 0) return SystemError("listen on 127.0.0.1");
  return socket;
}

absl::StatusOr<UniqueFd> ConnectToLoopback(uint16_t port) {
  TW_ASSIGN_OR_RETURN(UniqueFd socket, NewSocket());
  const sockaddr_in address = Loopback(port);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    return SystemError(absl::StrCat("connect to 127.0.0.1:", port));
  }
  DisableNagle(socket);
  return socket;
}

absl::StatusOr<uint16_t> LocalPort(const UniqueFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return SystemError("getsockname");
  return ntohs(address.sin_port);
}

absl::StatusOr<uint16_t> LoopbackPort(absl::string_view host_port) {
  absl::string_view port_text = host_port;
  uint32_t port = 0;
  const bool loopback = absl::ConsumePrefix(&port_text, "127.0.0.1:") || absl::ConsumePrefix(&port_text, "localhost:");
  if (!loopback || !absl::SimpleAtoi(port_text, &port) || port == 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", host_port, "' is not a loopback address: give 127.0.0.1:PORT with a port of 1..65535"));
  }
  return static_cast<uint16_t>(port);
}

void DisableNagle(const UniqueFd& socket) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void CloseWithReset(UniqueFd* socket) {
  const linger reset{1, 0};
  if (socket->valid()) setsockopt(socket->get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  socket->Reset();
}

}  // namespace thinwire
