// The HTTP door for operators' tools: /metrics (Prometheus), /healthz (it does its work),
// /readyz (clients can take part).
#ifndef THINWIRE_SERVER_HTTP_HTTP_SERVER_H_
#define THINWIRE_SERVER_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace thinwire {

// Called from the HTTP threads, possibly several at once, until the server is destroyed.
struct HttpHandlers {
  std::function<std::string()> metrics;  // the whole page
  std::function<absl::Status()> alive;   // OK, or why a restart is due
  std::function<absl::Status()> ready;   // OK, or why not
};

// Serves from its own threads until destroyed.
class HttpServer {
 public:
  // Port 0 picks a free one. UNAVAILABLE if the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, int port, HttpHandlers handlers);
  ~HttpServer();
  int port() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_HTTP_HTTP_SERVER_H_
