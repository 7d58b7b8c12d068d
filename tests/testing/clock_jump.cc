// Preloaded into a program (LD_PRELOAD), moves its wall clock: by as many seconds, a decimal number, as the file that
// THINWIRE_CLOCK_JUMP names holds at that moment. The monotonic clock stays as it is, as when an operator or NTP sets
// the time. For tests.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

long JumpSeconds() {
  static const char* const path = std::getenv("THINWIRE_CLOCK_JUMP");
  if (path == nullptr) return 0;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[32] = {};
  const ssize_t size = ::read(fd, text, sizeof(text) - 1);
  ::close(fd);
  return size > 0 ? std::atol(text) : 0;
}

}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* now) noexcept {
  const int result = static_cast<int>(::syscall(SYS_clock_gettime, id, now));
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += JumpSeconds();
  return result;
}

extern "C" int gettimeofday(timeval* now, void*) noexcept {
  timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

extern "C" time_t time(time_t* now) noexcept {
  timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now != nullptr) *now = exact.tv_sec;
  return exact.tv_sec;
}
