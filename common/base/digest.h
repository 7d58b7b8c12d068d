// SHA-256, the name of everything that is content-addressed.
#ifndef THINWIRE_COMMON_BASE_DIGEST_H_
#define THINWIRE_COMMON_BASE_DIGEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// 32 raw bytes. Default-constructed: all zero, which stands for "none".
struct Digest {
  std::array<uint8_t, 32> bytes{};

  bool empty() const { return *this == Digest{}; }
  std::string Hex() const;
  absl::string_view AsBytes() const {
    return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  // INVALID_ARGUMENT unless `raw` is 32 bytes long.
  static absl::StatusOr<Digest> FromBytes(absl::string_view raw);
  // INVALID_ARGUMENT unless `hex` is 64 hexadecimal digits.
  static absl::StatusOr<Digest> FromHex(absl::string_view hex);

  friend bool operator==(const Digest& a, const Digest& b) { return a.bytes == b.bytes; }
  friend bool operator!=(const Digest& a, const Digest& b) { return a.bytes != b.bytes; }
  friend bool operator<(const Digest& a, const Digest& b) { return a.bytes < b.bytes; }
};

// SHA-256 of one piece.
Digest Sha256(absl::string_view data);

// SHA-256 of data that comes in pieces. Not thread-safe. Finish() once, then the object is spent.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  void Update(absl::string_view data);
  Digest Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_BASE_DIGEST_H_
