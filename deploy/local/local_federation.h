// A federation on this machine: a server, trainers and an evaluator as processes, with counting proxies between.
#ifndef THINWIRE_DEPLOY_LOCAL_LOCAL_FEDERATION_H_
#define THINWIRE_DEPLOY_LOCAL_LOCAL_FEDERATION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "deploy/local/child_process.h"
#include "deploy/local/demo_options.h"
#include "deploy/local/run_report.h"
#include "deploy/local/tcp_proxy.h"

namespace thinwire {

// Where the server listens, as it says in <state>/endpoints.json.
struct Endpoints {
  std::string federation;
  std::string control;
};
// INVALID_ARGUMENT if the text is no such file.
absl::StatusOr<Endpoints> ParseEndpoints(const std::string& json);

// Owned by one thread, the one that lives as long as the processes are to live (see ChildProcess).
class LocalFederation {
 public:
  // `programs`: folder with thinwire-server and thinwire-client. `work`: an existing folder, absolute; takes
  // server.textproto, state/, clients/ and logs/. Returns when the server has its ports and the clients are started.
  static absl::StatusOr<std::unique_ptr<LocalFederation>> Start(const DemoOptions& options, const std::string& programs,
                                                                const std::string& work);

  const Endpoints& endpoints() const { return endpoints_; }
  // Readable when a process has ended: all of them, or those that still run.
  std::vector<int> RunningFds() const;
  // Not OK if a process has ended badly, or the server at all: says which, how, and the end of its log.
  absl::Status CheckProcesses();
  // A client that has ended with exit code 0; "" if there is none.
  std::string FinishedClient() const;
  // Lets clients end by themselves for `grace`, then stops them, the same for all.
  void StopClients(absl::Duration grace);
  void StopServer(absl::Duration grace);

  WireBytes trainer_wire() const { return trainer_proxy_->stats().total; }
  WireBytes evaluator_wire() const { return evaluator_proxy_->stats().total; }
  // Of processes that have ended.
  ProcessUsage server_usage() const;
  ProcessUsage client_usage() const;

 private:
  struct Member {
    ChildProcess process;
    std::optional<ProcessExit> exit;
  };

  LocalFederation(DemoOptions options, std::string programs, std::string work)
      : options_(std::move(options)), programs_(std::move(programs)), work_(std::move(work)) {}
  absl::Status StartServer();
  absl::StatusOr<Endpoints> AwaitEndpoints(const std::string& path);
  absl::Status StartClients();
  absl::Status StartClient(const std::string& name, const TcpProxy& proxy, const std::vector<std::string>& arguments);
  absl::StatusOr<Member> Spawn(const std::string& name, const std::vector<std::string>& command) const;

  const DemoOptions options_;
  const std::string programs_;
  const std::string work_;
  Endpoints endpoints_;
  std::unique_ptr<TcpProxy> trainer_proxy_;
  std::unique_ptr<TcpProxy> evaluator_proxy_;
  std::vector<Member> server_;  // one, once started
  std::vector<Member> clients_;
};

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_LOCAL_FEDERATION_H_
