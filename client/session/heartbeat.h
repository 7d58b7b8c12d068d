// Tells the server at regular intervals that the client lives, whatever the session's own thread is busy with.
#ifndef THINWIRE_CLIENT_SESSION_HEARTBEAT_H_
#define THINWIRE_CLIENT_SESSION_HEARTBEAT_H_

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "client/session/sleeper.h"

namespace thinwire {

// Owns one thread between Start and Stop. Thread-compatible.
class Heartbeat {
 public:
  // `beat` runs on the heartbeat's thread. `sleeper` must outlive it and is interrupted by Stop.
  Heartbeat(std::function<void()> beat, Sleeper* sleeper) : beat_(std::move(beat)), sleeper_(sleeper) {}
  ~Heartbeat() { Stop(); }
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // Beats every `interval` (at least kShortest) from now on; further calls do nothing.
  void Start(absl::Duration interval);
  // Waits for a beat under way.
  void Stop();

  static constexpr absl::Duration kShortest = absl::Milliseconds(100);

 private:
  const std::function<void()> beat_;
  Sleeper* const sleeper_;
  std::thread thread_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_HEARTBEAT_H_
