// A federation of real processes on this machine, in a folder of its own, for integration tests and benchmarks. Clients
// reach the server through a proxy, which counts bytes, cuts connections, and outlives the server.
#ifndef THINWIRE_TESTS_TESTING_CLUSTER_H_
#define THINWIRE_TESTS_TESTING_CLUSTER_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/credentials.h"
#include "deploy/local/child_process.h"
#include "deploy/local/tcp_proxy.h"
#include "thinwire/v1/control.grpc.pb.h"

namespace thinwire {

// Not thread-safe; used from the main thread.
class Cluster {
 public:
  // Everything goes below `folder`, which must exist: state/, the clients' folders and all logs. `bin` holds the
  // programs.
  Cluster(std::string folder, std::string bin) : folder_(std::move(folder)), bin_(std::move(bin)) {}

  // Mutual TLS from the next start on: `security` is that section of the server's configuration, `own` an operator's
  // files, for this object's questions. Clients then name their own certificates in their flags.
  void UseTls(std::string security, TlsFiles own);

  // Starts a server on free ports with `config`, a FederationConfig in text format without listen and
  // storage.directory, which are added here; waits until it listens. A second call restarts it on the same state.
  absl::Status StartServer(const std::string& config, const std::vector<std::string>& flags = {});
  // The two halves of it, for a test that does something between them: e.g. kills the server while it starts.
  absl::Status LaunchServer(const std::string& config, const std::vector<std::string>& flags = {});
  absl::Status AwaitServer(absl::Duration timeout = absl::Seconds(30));
  // Further starts run the server's command line after `prefix`, e.g. a program that drops privileges or sets limits.
  void WrapServer(std::vector<std::string> prefix) { wrapper_ = std::move(prefix); }
  // A folder of its own in place of Path("state"), e.g. one on another file system.
  void UseState(std::string directory) { state_ = std::move(directory); }
  // SIGKILL, and waits for the end.
  ProcessExit KillServer();
  // SIGTERM, and waits.
  ProcessExit StopServer();
  ChildProcess& server() { return *server_; }
  bool has_server() const { return server_.has_value(); }

  // Starts thinwire-client with --server, --state, --client-id and, in plaintext, --insecure set, and `flags`; returns
  // its index.
  absl::StatusOr<size_t> StartClient(const std::string& id, const std::vector<std::string>& flags);
  // Ends the client at once, so that another with its id (and state folder) may start.
  void KillClient(size_t index);
  // Kills it if it still runs, and starts it again with the same command line and log.
  absl::Status RestartClient(size_t index);
  ChildProcess& client(size_t index) { return *clients_[index]; }
  // Waits for every client's end; DEADLINE_EXCEEDED or INTERNAL naming the first that lives on or failed.
  absl::Status AwaitClients(absl::Duration timeout);

  // Clients started from now on reach the server without the proxy, whose copying costs CPU that a benchmark must not
  // count; their bytes are then not counted either, and they lose a server that comes back on another port.
  void DialDirectly() { direct_ = true; }
  // Where clients dial, server up or not.
  TcpProxy& proxy() { return *proxy_; }
  // The server's own address, around the proxy.
  const std::string& federation_address() const { return federation_; }
  const std::string& control_address() const { return control_address_; }
  const std::string& http_address() const { return http_; }
  v1::Control::Stub& control() { return *control_; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string state() const { return state_.empty() ? Path("state") : state_; }
  // All that the server (id "server") or a client has written to its log so far.
  std::string LogOf(const std::string& id) const;

  absl::StatusOr<v1::Status> Status();
  // Follows the run until `predicate` holds; DEADLINE_EXCEEDED, with the last status and the logs' ends, after
  // `timeout`.
  absl::StatusOr<v1::Status> AwaitStatus(const std::function<bool(const v1::Status&)>& predicate,
                                         absl::Duration timeout = absl::Seconds(60));
  // Until the run has ended and, if it completed, exported its model.
  absl::StatusOr<v1::Status> AwaitEnd(absl::Duration timeout = absl::Seconds(60));
  absl::StatusOr<std::vector<v1::RoundSummary>> Rounds();
  // The ends of all logs, for messages.
  std::string Logs() const;

 private:
  const std::string folder_;
  const std::string bin_;
  std::string state_;
  std::vector<std::string> wrapper_;
  std::unique_ptr<TcpProxy> proxy_;
  bool direct_ = false;
  std::optional<ChildProcess> server_;
  std::vector<std::unique_ptr<ChildProcess>> clients_;
  std::vector<ProcessSpec> client_specs_;
  std::vector<std::string> logs_;
  std::string federation_;
  std::string control_address_;
  std::string http_;
  std::string security_ = "security { insecure: true }\n";
  std::optional<TlsFiles> own_;  // with TLS
  std::unique_ptr<v1::Control::Stub> control_;
};

}  // namespace thinwire

#endif  // THINWIRE_TESTS_TESTING_CLUSTER_H_
