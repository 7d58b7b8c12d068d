// One assignment's place in the spool. Used by spool.cc and spool_upload.cc only.
#ifndef THINWIRE_SERVER_STORE_SPOOL_ENTRY_H_
#define THINWIRE_SERVER_STORE_SPOOL_ENTRY_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/mutex.h"
#include "common/codec/payload.h"

namespace thinwire {

enum class SpoolState { kPartial, kComplete, kGone };

constexpr char kPartialSuffix[] = ".part";
constexpr char kCompleteSuffix[] = ".update";

// What stands for a payload in file names: the first 16 hexadecimal digits of its id.
inline std::string PayloadPrefix(const Digest& id) { return id.Hex().substr(0, 16); }

struct SpoolEntry {
  SpoolEntry(std::string assignment_id, std::string payload_prefix, SpoolState first_state)
      : assignment(std::move(assignment_id)), prefix(std::move(payload_prefix)), state(first_state) {}

  std::string FileName(SpoolState as) const {
    return absl::StrCat(assignment, ".", prefix, as == SpoolState::kComplete ? kCompleteSuffix : kPartialSuffix);
  }

  const std::string assignment;
  const std::string prefix;
  std::atomic<uint64_t> received{0};
  std::atomic<SpoolState> state;  // written under `mutex`

  // Guarded by the spool's mutex.
  uint64_t reserved = 0;
  bool counts_as_partial = false;

  Mutex mutex;
  std::optional<PayloadRef> payload TW_GUARDED_BY(mutex);  // unknown after a restart until Begin
  File file TW_GUARDED_BY(mutex);                          // open while a handle is alive
  uint64_t turn TW_GUARDED_BY(mutex) = 0;                  // of the newest handle
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_STORE_SPOOL_ENTRY_H_
