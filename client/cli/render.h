// What the operator's tool prints, as text for people. The JSON form is protobuf's own mapping of the same messages.
#ifndef THINWIRE_CLIENT_CLI_RENDER_H_
#define THINWIRE_CLIENT_CLI_RENDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "google/protobuf/message.h"
#include "thinwire/v1/control.pb.h"

namespace thinwire {

// One or several lines, each ended by a newline.
std::string RenderStatus(const v1::Status& status);
// One line, without newline: for `watch`.
std::string RenderStatusLine(const v1::Status& status);
std::string RenderRounds(const std::vector<v1::RoundSummary>& rounds);
// What their updates took, and what came of it.
std::string RenderUploads(const std::vector<v1::RoundSummary>& rounds);
std::string RenderClients(const std::vector<v1::ClientSummary>& clients);
// One line of JSON, fields named as in the proto, defaults included.
std::string RenderJson(const google::protobuf::Message& message);

// "COMPLETED" for RUN_STATE_COMPLETED, and so on.
std::string RunStateName(v1::RunState state);
std::string RoundStateName(v1::RoundState state);
// "9.17 MB": decimal, three significant digits.
std::string HumanBytes(uint64_t bytes);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_CLI_RENDER_H_
