#include "server/http/http_server.h"

#include <httplib.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

// A scraper and a probe at the same time, and one to spare; the library's default is one thread per core, at least 8.
constexpr size_t kThreads = 3;
constexpr time_t kIoTimeoutSeconds = 5;

// 200 "ok", or 503 and why.
httplib::Server::Handler Probe(std::function<absl::Status()> check) {
  return [check = std::move(check)](const httplib::Request&, httplib::Response& response) {
    const absl::Status status = check();
    if (!status.ok()) response.status = 503;
    response.set_content(status.ok() ? "ok\n" : absl::StrCat(status.message(), "\n"), "text/plain");
  };
}

}  // namespace

struct HttpServer::Impl {
  httplib::Server server;
  std::thread thread;
  int port = 0;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host, int port,
                                                              HttpHandlers handlers) {
  auto impl = std::make_unique<Impl>();
  impl->server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  impl->server.set_read_timeout(kIoTimeoutSeconds);
  impl->server.set_write_timeout(kIoTimeoutSeconds);
  impl->server.Get("/healthz", Probe(handlers.alive));
  impl->server.Get("/readyz", Probe(handlers.ready));
  impl->server.Get("/metrics", [metrics = handlers.metrics](const httplib::Request&, httplib::Response& response) {
    response.set_content(metrics(), "text/plain; version=0.0.4; charset=utf-8");
  });
  impl->port = port != 0 ? port : impl->server.bind_to_any_port(host);
  const bool bound = port != 0 ? impl->server.bind_to_port(host, port) : impl->port > 0;
  if (!bound) {
    return absl::UnavailableError(absl::StrCat("cannot listen for HTTP on ", host, ":", port,
                                               "; another program may hold the port: set listen.http to a free one"));
  }
  Impl* raw = impl.get();
  impl->thread = std::thread([raw] { raw->server.listen_after_bind(); });
  // The library's stop() does nothing before its loop runs; a thread that has just been started soon does.
  while (!raw->server.is_running()) std::this_thread::yield();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  impl_->server.stop();
  impl_->thread.join();
}

int HttpServer::port() const { return impl_->port; }

}  // namespace thinwire
