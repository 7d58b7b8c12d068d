// SIGINT and SIGTERM as calls on a thread of their own.
#ifndef THINWIRE_CLIENT_DAEMON_STOP_SIGNALS_H_
#define THINWIRE_CLIENT_DAEMON_STOP_SIGNALS_H_

#include <functional>
#include <thread>

namespace thinwire {

// Blocks both signals in the calling thread and all that it starts later: call before any other thread is started.
void BlockStopSignals();

// Watches from construction to destruction. The first signal calls `stop`; a second one ends the process at once with
// exit code 128 + signal.
class StopSignals {
 public:
  explicit StopSignals(std::function<void()> stop);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  void Watch();

  const std::function<void()> stop_;
  int signals_;   // signalfd
  int finished_;  // eventfd that the destructor writes
  std::thread thread_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_STOP_SIGNALS_H_
