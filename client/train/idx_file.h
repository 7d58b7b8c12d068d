// The IDX format of the MNIST family: two zero bytes, a type (8: unsigned byte), the number of dimensions, each
// dimension as a big-endian uint32, then the values. Read plain or gzip-compressed, told apart by content.
// Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
#ifndef THINWIRE_CLIENT_TRAIN_IDX_FILE_H_
#define THINWIRE_CLIENT_TRAIN_IDX_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/train/dataset.h"

namespace thinwire {

// Largest number of samples and of bytes in one sample that a header may claim.
constexpr uint32_t kMaxIdxSamples = 1u << 28;
constexpr uint32_t kMaxIdxSampleBytes = 1u << 24;

// One file, read front to back. Errors name the file and, counted in the unpacked content, the byte: NOT_FOUND,
// INVALID_ARGUMENT for a header that is not of a known form, DATA_LOSS for a file that ends early, goes on too long or
// fails gzip's checksum. Not thread-safe.
class IdxFile {
 public:
  // Reads the header. Its counts are claims: nothing is allocated by them.
  static absl::StatusOr<IdxFile> Open(const std::string& path);
  ~IdxFile();
  IdxFile(IdxFile&&) noexcept;
  IdxFile& operator=(IdxFile&&) noexcept;

  const std::string& path() const { return path_; }
  // Never empty; the first is the number of samples.
  const std::vector<uint32_t>& dimensions() const { return dimensions_; }
  // The next out.size() values.
  absl::Status Read(absl::Span<uint8_t> out);
  // OK if no value is left and the checksum was right.
  absl::Status ExpectEnd();

 private:
  struct Stream;
  IdxFile(std::string path, std::unique_ptr<Stream> stream);
  absl::Status ReadHeader();

  std::string path_;
  std::unique_ptr<Stream> stream_;
  std::vector<uint32_t> dimensions_;
  uint64_t offset_ = 0;  // unpacked bytes read so far
};

// All labels of a one-dimensional file. Memory grows with what is read, not with what the header claims.
absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path);

struct IdxImages {
  ImageShape shape;
  std::vector<uint8_t> bytes;
};

// Images of a file with dimensions [n, height, width] or [n, channels, height, width], where n must be `expected` (the
// number of labels). With `selection` (ascending indices below `expected`) only those are kept in memory; the file is
// checked to its end all the same.
absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path, uint64_t expected,
                                        std::optional<absl::Span<const uint32_t>> selection = std::nullopt);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_TRAIN_IDX_FILE_H_
