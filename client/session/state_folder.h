// A client's folder on disk: who it is, what it has downloaded, what it has not yet delivered.
//
//   <state>/client_id        the client's name, made once
//   <state>/lock             held while a process uses the folder
//   <state>/download/        payloads, whole (<id>.payload) or begun (<id>.part)
//   <state>/basis/           in a subspace, the basis that coordinates are of (basis_keeper.h)
//   <state>/error/           what earlier updates did not send (error_memory.h)
//   <state>/upload/          an update that no acknowledgement has come for (<assignment>.payload and .record)
#ifndef THINWIRE_CLIENT_SESSION_STATE_FOLDER_H_
#define THINWIRE_CLIENT_SESSION_STATE_FOLDER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Holds the folder's lock until destroyed. Immutable; thread-safe.
class StateFolder {
 public:
  // Creates what is missing and locks. `client_id`: empty to take the folder's own or to make a random one (128 bits,
  // hexadecimal). FAILED_PRECONDITION if another process holds the folder or it belongs to another client.
  static absl::StatusOr<StateFolder> Open(const std::string& path, const std::string& client_id);
  // INVALID_ARGUMENT unless `id` is 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit.
  static absl::Status CheckId(absl::string_view id);
  ~StateFolder();
  StateFolder(StateFolder&& other) noexcept;
  StateFolder& operator=(StateFolder&& other) noexcept;

  const std::string& client_id() const { return client_id_; }
  const std::string& path() const { return path_; }
  std::string download_directory() const;
  std::string upload_directory() const;
  std::string basis_directory() const;
  std::string error_directory() const;

 private:
  StateFolder(int lock_fd, std::string path) : lock_fd_(lock_fd), path_(std::move(path)) {}
  absl::Status ChooseClientId(const std::string& wanted);

  int lock_fd_ = -1;
  std::string path_;
  std::string client_id_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_STATE_FOLDER_H_
