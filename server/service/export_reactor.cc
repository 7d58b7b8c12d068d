#include "server/service/export_reactor.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/wire/convert.h"
#include "server/service/chunks.h"

namespace thinwire {

absl::Status ExportReactor::Open() {
  const std::optional<VersionRow> latest = parts_->run->models->Latest();
  if (!latest.has_value()) return absl::NotFoundError("there is no version of the model yet");
  version_ = request_.has_version() ? request_.version() : latest->version;
  absl::StatusOr<File> file = parts_->run->models->OpenWeights(version_);
  if (absl::IsNotFound(file.status())) {
    return absl::NotFoundError(absl::StrCat("version ", version_, " is not stored; the newest is ", latest->version,
                                            ", and storage.keep_versions says how many older ones are kept"));
  }
  TW_ASSIGN_OR_RETURN(file_, std::move(file));
  TW_ASSIGN_OR_RETURN(size_, file_.Size());
  return absl::OkStatus();
}

absl::StatusOr<bool> ExportReactor::Fill(v1::ExportModelResponse* response) {
  if (!header_sent_) {
    header_sent_ = true;
    v1::ExportHeader* const header = response->mutable_header();
    header->set_version(version_);
    header->set_size(size_);
    *header->mutable_model() = ToProto(*parts_->run->models->model());
    return true;
  }
  if (offset_ == size_) return false;
  std::string* const data = response->mutable_data();
  data->resize(std::min<uint64_t>(size_ - offset_, kMaxChunkBytes));
  TW_RETURN_IF_ERROR(file_.ReadAt(offset_, data->size(), &(*data)[0]));
  offset_ += data->size();
  return true;
}

}  // namespace thinwire
