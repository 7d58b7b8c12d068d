// The server's configuration: read whole, checked whole, all errors at once.
#ifndef THINWIRE_SERVER_CONFIG_CONFIG_H_
#define THINWIRE_SERVER_CONFIG_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/codec/exchange_plan.h"
#include "server/aggregate/aggregator.h"
#include "server/aggregate/strategy.h"
#include "server/round/round_coordinator.h"
#include "thinwire/v1/config.pb.h"

namespace thinwire {

// A configuration with every default filled in and every field checked.
struct ServerConfig {
  v1::FederationConfig proto;
  ExchangePlan plan;
  RoundOptions round;
  LatePolicy late = LatePolicy::kDiscard;
  StrategyOptions strategy;
  AggregatorOptions aggregator;
  absl::Duration heartbeat_interval;
  absl::Duration lease;
  absl::Duration retry_min;
  absl::Duration retry_max;
};

// What a command line puts in place of a file's words before the whole is checked.
struct ConfigOverrides {
  bool insecure = false;  // security { insecure: true }, whatever the file says
};

// Parses text format and checks it. INVALID_ARGUMENT with one line per error: "FILE:LINE: field: value, limit, way
// out". `name` stands for FILE in messages.
absl::StatusOr<ServerConfig> ParseConfig(absl::string_view text, const std::string& name,
                                         const ConfigOverrides& overrides = {});
// As ParseConfig, from a file of at most 1 MiB.
absl::StatusOr<ServerConfig> LoadConfig(const std::string& path, const ConfigOverrides& overrides = {});

// The text form of an effective configuration, for the log.
std::string EffectiveConfig(const ServerConfig& config);

// "HOST:PORT" taken apart; INVALID_ARGUMENT unless the port is 0..65535 and the host is not empty.
struct HostPort {
  std::string host;
  int port = 0;
};
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_CONFIG_CONFIG_H_
