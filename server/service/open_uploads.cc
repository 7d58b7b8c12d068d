#include "server/service/open_uploads.h"

#include "absl/strings/str_cat.h"

namespace thinwire {

// Streams are ended under the lock, so that none is destroyed meanwhile: Leave waits for it.

absl::Status OpenUploads::Greet(UploadStream* stream) {
  MutexLock lock(mutex_);
  if (closed_) return absl::UnavailableError("the server is leaving: come back in a moment");
  if (greeted_.size() >= limit_) {
    greeted_.front()->End(absl::ResourceExhaustedError(
        absl::StrCat(greeted_.size(),
                     " upload streams have not sent their header, all that limits.uploads allows, and "
                     "this is the oldest: send the header when the stream opens")));
    greeted_.pop_front();
  }
  greeted_.push_back(stream);
  return absl::OkStatus();
}

absl::Status OpenUploads::Enter(const std::string& assignment, UploadStream* stream) {
  MutexLock lock(mutex_);
  greeted_.remove(stream);
  if (closed_) return absl::UnavailableError("the server is leaving: come back in a moment");
  const auto it = streams_.find(assignment);
  if (it != streams_.end()) {
    it->second->End(absl::AbortedError("a newer upload of this assignment has replaced this one"));
    it->second = stream;
    return absl::OkStatus();
  }
  if (streams_.size() >= limit_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(streams_.size(), " uploads are open, all that limits.uploads, ", limit_, ", allows"));
  }
  streams_.emplace(assignment, stream);
  return absl::OkStatus();
}

void OpenUploads::Leave(const std::string& assignment, const UploadStream* stream) {
  MutexLock lock(mutex_);
  greeted_.remove_if([stream](const UploadStream* any) { return any == stream; });
  const auto it = streams_.find(assignment);
  if (it != streams_.end() && it->second == stream) streams_.erase(it);
}

void OpenUploads::End(const std::string& assignment, const absl::StatusOr<v1::UploadResponse>& outcome) {
  MutexLock lock(mutex_);
  const auto it = streams_.find(assignment);
  if (it != streams_.end()) it->second->End(outcome);
}

void OpenUploads::EndAll(const absl::Status& status) {
  MutexLock lock(mutex_);
  closed_ = true;
  for (const auto& [assignment, stream] : streams_) stream->End(status);
  for (UploadStream* stream : greeted_) stream->End(status);
}

size_t OpenUploads::size() const {
  MutexLock lock(mutex_);
  return streams_.size();
}

}  // namespace thinwire
