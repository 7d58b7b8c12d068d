// The sizes in which payloads travel.
#ifndef THINWIRE_SERVER_SERVICE_CHUNKS_H_
#define THINWIRE_SERVER_SERVICE_CHUNKS_H_

#include <algorithm>
#include <cstdint>

namespace thinwire {

constexpr uint32_t kMaxChunkBytes = 256 * 1024;
constexpr uint32_t kMinChunkBytes = 4 * 1024;

// The largest chunk that clients are granted in a run whose rounds invite `clients`. Each open upload holds one chunk
// in memory; those of a large round are smaller, so that 8 to 32 of them hold no more together. Below that, messages
// would cost more than they save.
inline uint32_t GrantedChunkBytes(uint32_t clients) {
  constexpr uint32_t kTogether = 8 * kMaxChunkBytes;
  constexpr uint32_t kSmallest = 64 * 1024;
  return std::clamp(kTogether / std::max(clients, 1u), kSmallest, kMaxChunkBytes);
}

// What a client that asked for at most `wanted` bytes a chunk gets; 0: the server's choice. A chunk ought to hold a
// quarter second of its link, but small ones cost more in messages than they save.
inline uint32_t ChunkSize(uint32_t wanted) {
  return wanted == 0 ? kMaxChunkBytes : std::min(std::max(wanted, kMinChunkBytes), kMaxChunkBytes);
}

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_CHUNKS_H_
