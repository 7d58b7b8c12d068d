// CodingReport to its proto and back; see convert.h.
#ifndef THINWIRE_COMMON_WIRE_REPORT_CONVERT_H_
#define THINWIRE_COMMON_WIRE_REPORT_CONVERT_H_

#include "absl/status/statusor.h"
#include "common/codec/coding_report.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

v1::CodingReport ToProto(const CodingReport& report);
// INVALID_ARGUMENT unless its numbers are finite and at least 0.
absl::StatusOr<CodingReport> FromProto(const v1::CodingReport& proto);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_WIRE_REPORT_CONVERT_H_
