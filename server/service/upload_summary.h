// What a round's updates took and lost, in sum.
#ifndef THINWIRE_SERVER_SERVICE_UPLOAD_SUMMARY_H_
#define THINWIRE_SERVER_SERVICE_UPLOAD_SUMMARY_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "server/store/journal.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

// Of `updates`, the received ones that count, of a model with so many trainable values. Norms and distortions are plain
// means over the updates that reported them.
v1::UploadSummary SummarizeUploads(const std::vector<UpdateRow>& updates, uint64_t trainable,
                                   absl::Duration decode_time);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_UPLOAD_SUMMARY_H_
