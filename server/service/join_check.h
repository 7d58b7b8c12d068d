// Whether a client can take part in a run, from what its Join says; and other checks of what clients say.
#ifndef THINWIRE_SERVER_SERVICE_JOIN_CHECK_H_
#define THINWIRE_SERVER_SERVICE_JOIN_CHECK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/codec/exchange_plan.h"
#include "common/tensor/model_spec.h"
#include "server/service/client_registry.h"
#include "thinwire/v1/federation.pb.h"

namespace thinwire {

// The version of proto/thinwire/v1 and docs/wire_format.md together.
constexpr uint32_t kWireVersion = 1;

struct JoinRules {
  ExchangePlan plan;
  uint64_t max_examples = 1;
  std::shared_ptr<const ModelSpec> model;  // of the run; nullptr until it has one
};

// A refusal and the class that it is counted under.
struct JoinVerdict {
  absl::Status status;
  std::string refusal;  // empty if OK
  ClientInfo client;    // if OK
};

// Errors as Federation.Join documents them. Pure.
JoinVerdict CheckJoin(const v1::JoinRequest& request, const JoinRules& rules);

// OK if `id` is [A-Za-z0-9._-]{1,64}.
absl::Status CheckClientId(absl::string_view id);

// OK if what an evaluation says are numbers: an accuracy of 0..1 and a finite loss.
absl::Status CheckEvaluation(const v1::ReportEvaluationRequest& request);

// At most 200 characters of a text that a client chose, without control characters: fit for logs and reasons.
std::string CleanText(absl::string_view text);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_JOIN_CHECK_H_
