#include "client/train/idx_file.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint8_t kUnsignedByte = 8;
constexpr size_t kMaxDimensions = 4;
constexpr size_t kReadStep = size_t{1} << 20;

absl::Status BadHeader(const std::string& path, uint64_t byte, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": byte ", byte, ": ", what));
}

absl::Status CheckSampleSize(const std::string& path, absl::Span<const uint32_t> sample) {
  uint64_t bytes = 1;
  for (const uint32_t size : sample) {
    bytes *= size;
    if (bytes == 0 || bytes > kMaxIdxSampleBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": an image of ", bytes == 0 ? "0" : absl::StrCat("more than ", kMaxIdxSampleBytes),
                       " bytes; 1 to ", kMaxIdxSampleBytes, " are allowed; scale the images down"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ImageShape> ShapeOf(const IdxFile& file) {
  const std::vector<uint32_t>& dims = file.dimensions();
  if (dims.size() != 3 && dims.size() != 4) {
    return BadHeader(file.path(), 3,
                     absl::StrCat(dims.size(), " dimensions, a file of images has 3 (n, height, width)",
                                  " or 4 (n, channels, height, width); was another file meant?"));
  }
  TW_RETURN_IF_ERROR(CheckSampleSize(file.path(), absl::MakeConstSpan(dims).subspan(1)));
  return dims.size() == 3 ? ImageShape{1, dims[1], dims[2]} : ImageShape{dims[1], dims[2], dims[3]};
}

}  // namespace

struct IdxFile::Stream {
  explicit Stream(gzFile opened) : file(opened) {}
  ~Stream() { gzclose(file); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  gzFile file;
};

IdxFile::IdxFile(std::string path, std::unique_ptr<Stream> stream)
    : path_(std::move(path)), stream_(std::move(stream)) {}
IdxFile::~IdxFile() = default;
IdxFile::IdxFile(IdxFile&&) noexcept = default;
IdxFile& IdxFile::operator=(IdxFile&&) noexcept = default;

absl::StatusOr<IdxFile> IdxFile::Open(const std::string& path) {
  errno = 0;
  const gzFile opened = gzopen(path.c_str(), "rbe");
  if (opened == nullptr) {
    const int reason = errno;
    const std::string message = absl::StrCat("cannot open ", path, ": ", std::strerror(reason));
    return reason == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
  }
  gzbuffer(opened, 1u << 17);
  IdxFile file(path, std::make_unique<Stream>(opened));
  TW_RETURN_IF_ERROR(file.ReadHeader());
  return file;
}

absl::Status IdxFile::ReadHeader() {
  uint8_t magic[4];
  TW_RETURN_IF_ERROR(Read(absl::MakeSpan(magic)));
  if (magic[0] != 0 || magic[1] != 0) {
    return BadHeader(path_, 0,
                     absl::StrCat("not an IDX file: it begins with bytes ", magic[0], " ", magic[1],
                                  ", not 0 0; give an IDX file, plain or gzip"));
  }
  if (magic[2] != kUnsignedByte) {
    return BadHeader(path_, 2, absl::StrCat("value type ", magic[2], ", only 8 (unsigned byte) is read; convert it"));
  }
  if (magic[3] == 0 || magic[3] > kMaxDimensions) {
    return BadHeader(path_, 3, absl::StrCat(magic[3], " dimensions, 1 to ", kMaxDimensions, " are read"));
  }
  for (int i = 0; i < magic[3]; ++i) {
    uint8_t raw[4];
    TW_RETURN_IF_ERROR(Read(absl::MakeSpan(raw)));
    dimensions_.push_back(uint32_t{raw[0]} << 24 | uint32_t{raw[1]} << 16 | uint32_t{raw[2]} << 8 | raw[3]);
  }
  if (dimensions_[0] == 0 || dimensions_[0] > kMaxIdxSamples) {
    return BadHeader(path_, 4,
                     absl::StrCat("the header says ", dimensions_[0], " samples, 1 to ", kMaxIdxSamples,
                                  " are allowed; split the file"));
  }
  return absl::OkStatus();
}

absl::Status IdxFile::Read(absl::Span<uint8_t> out) {
  const int got = gzread(stream_->file, out.data(), static_cast<unsigned>(out.size()));
  if (got >= 0 && static_cast<size_t>(got) == out.size()) {
    offset_ += out.size();
    return absl::OkStatus();
  }
  int code = Z_OK;
  const std::string reason = gzerror(stream_->file, &code);
  offset_ += static_cast<uint64_t>(std::max(got, 0));
  return absl::DataLossError(absl::StrCat(path_, ": byte ", offset_, ": ",
                                          code == Z_OK || code == Z_BUF_ERROR
                                              ? "the file ends here, its header promises more"
                                              : absl::StrCat("damaged (", reason, ")"),
                                          "; fetch it again"));
}

absl::Status IdxFile::ExpectEnd() {
  uint8_t extra = 0;
  const int got = gzread(stream_->file, &extra, 1);
  if (got > 0) {
    return absl::DataLossError(absl::StrCat(path_, ": byte ", offset_,
                                            ": the file goes on where its header says that it ends; fetch it again"));
  }
  int code = Z_OK;
  const std::string reason = gzerror(stream_->file, &code);
  if (got == 0 && code == Z_OK) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path_, ": byte ", offset_, ": damaged (", reason, "); fetch it again"));
}

absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path) {
  TW_ASSIGN_OR_RETURN(IdxFile file, IdxFile::Open(path));
  if (file.dimensions().size() != 1) {
    return BadHeader(
        path, 3,
        absl::StrCat(file.dimensions().size(), " dimensions, a file of labels has 1;", " was another file meant?"));
  }
  const size_t count = file.dimensions()[0];
  std::vector<uint8_t> labels;
  while (labels.size() < count) {
    const size_t first = labels.size();
    labels.resize(std::min(count, first + kReadStep));
    TW_RETURN_IF_ERROR(file.Read(absl::MakeSpan(labels).subspan(first)));
  }
  TW_RETURN_IF_ERROR(file.ExpectEnd());
  return labels;
}

absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path, uint64_t expected,
                                        std::optional<absl::Span<const uint32_t>> selection) {
  TW_ASSIGN_OR_RETURN(IdxFile file, IdxFile::Open(path));
  IdxImages images;
  TW_ASSIGN_OR_RETURN(images.shape, ShapeOf(file));
  const uint32_t count = file.dimensions()[0];
  if (count != expected) {
    return BadHeader(path, 4,
                     absl::StrCat("the header says ", count, " images, the file of labels has ", expected,
                                  "; give two files of one data set"));
  }
  const size_t kept = selection.has_value() ? selection->size() : count;
  std::vector<uint8_t> image(images.shape.values());
  // Reserving avoids a copy per doubling; the cap keeps a lying header from reserving memory for what is not there.
  images.bytes.reserve(std::min(kept * image.size(), size_t{64} << 20));
  size_t taken = 0;
  for (uint32_t i = 0; i < count; ++i) {
    TW_RETURN_IF_ERROR(file.Read(absl::MakeSpan(image)));
    if (selection.has_value() && (taken == kept || (*selection)[taken] != i)) continue;
    images.bytes.insert(images.bytes.end(), image.begin(), image.end());
    ++taken;
  }
  TW_RETURN_IF_ERROR(file.ExpectEnd());
  if (taken != kept) return absl::InvalidArgumentError(absl::StrCat(path, ": the selection of images does not ascend"));
  return images;
}

}  // namespace thinwire
