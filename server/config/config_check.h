// The rules of a configuration, defaults applied.
#ifndef THINWIRE_SERVER_CONFIG_CONFIG_CHECK_H_
#define THINWIRE_SERVER_CONFIG_CONFIG_CHECK_H_

#include "common/codec/exchange_plan.h"
#include "server/config/config_errors.h"
#include "thinwire/v1/config.pb.h"

namespace thinwire {

// Adds every fault to `errors`. Returns the plan that the configuration names; meaningful only if it has no faults.
ExchangePlan CheckConfig(const v1::FederationConfig& config, ConfigErrors* errors);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_CONFIG_CONFIG_CHECK_H_
