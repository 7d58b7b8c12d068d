#include "client/daemon/stop_signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace thinwire {
namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void BlockStopSignals() {
  const sigset_t set = StopSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

StopSignals::StopSignals(std::function<void()> stop) : stop_(std::move(stop)) {
  const sigset_t set = StopSet();
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  finished_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { Watch(); });
}

StopSignals::~StopSignals() {
  eventfd_write(finished_, 1);
  thread_.join();
  close(signals_);
  close(finished_);
}

void StopSignals::Watch() {
  bool stopping = false;
  for (;;) {
    pollfd fds[2] = {{signals_, POLLIN, 0}, {finished_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (fds[0].revents == 0 || read(signals_, &info, sizeof(info)) != sizeof(info)) continue;
    if (stopping) _exit(128 + static_cast<int>(info.ssi_signo));
    stopping = true;
    stop_();
  }
}

}  // namespace thinwire
