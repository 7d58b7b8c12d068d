#include "server/daemon/exit_events.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace thinwire {

ExitEvents::ExitEvents() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal_fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

ExitEvents::~ExitEvents() {
  ::close(signal_fd_);
  ::close(wake_fd_);
}

void ExitEvents::RunFinished(RunState state) {
  {
    MutexLock lock(mutex_);
    state_.finished = state;
  }
  Wake();
}

void ExitEvents::EverybodyTold() {
  {
    MutexLock lock(mutex_);
    state_.everybody_told = true;
  }
  Wake();
}

void ExitEvents::Broken(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    state_.broken = status;
  }
  Wake();
}

void ExitEvents::Wake() {
  const uint64_t one = 1;
  // It can only fail when the counter is full, and then the waiter wakes anyway.
  (void)!::write(wake_fd_, &one, sizeof(one));
}

ExitEvents::State ExitEvents::Wait(absl::Duration timeout) {
  constexpr absl::Duration kLongest = absl::Hours(24);
  std::array<pollfd, 2> fds = {{{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}}};
  const absl::Duration limited = std::min(std::max(timeout, absl::ZeroDuration()), kLongest);
  ::poll(fds.data(), fds.size(),
         static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(limited, absl::Milliseconds(1)))));
  signalfd_siginfo info;
  uint64_t wakes;
  (void)!::read(wake_fd_, &wakes, sizeof(wakes));
  const bool signalled = ::read(signal_fd_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
  MutexLock lock(mutex_);
  if (signalled) state_.signal = static_cast<int>(info.ssi_signo);
  return state_;
}

}  // namespace thinwire
