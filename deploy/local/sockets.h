// The few socket calls that the proxy and its tests need. IPv4 loopback only.
#ifndef THINWIRE_DEPLOY_LOCAL_SOCKETS_H_
#define THINWIRE_DEPLOY_LOCAL_SOCKETS_H_

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Owns a file descriptor; closed on destruction.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_ = -1;
};

// A listening, non-blocking socket on 127.0.0.1 at a port that was free.
absl::StatusOr<UniqueFd> ListenOnLoopback();
// A non-blocking socket that is connected, or still connecting, to 127.0.0.1:port.
absl::StatusOr<UniqueFd> ConnectToLoopback(uint16_t port);
absl::StatusOr<uint16_t> LocalPort(const UniqueFd& socket);
// The port of "127.0.0.1:PORT" or "localhost:PORT"; INVALID_ARGUMENT for anything else, port 0 included.
absl::StatusOr<uint16_t> LoopbackPort(absl::string_view host_port);
// Sends small packets at once instead of gathering them.
void DisableNagle(const UniqueFd& socket);
// Closes with a reset: the peer sees a broken connection, not an end of data.
void CloseWithReset(UniqueFd* socket);
// INTERNAL with `what` and errno's text.
absl::Status SystemError(absl::string_view what);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_SOCKETS_H_
