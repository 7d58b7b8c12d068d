// The value of every field that a configuration leaves out. proto/thinwire/v1/config.proto documents them.
#ifndef THINWIRE_SERVER_CONFIG_CONFIG_DEFAULTS_H_
#define THINWIRE_SERVER_CONFIG_CONFIG_DEFAULTS_H_

#include "thinwire/v1/config.pb.h"

namespace thinwire {

void ApplyDefaults(v1::FederationConfig* config);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_CONFIG_CONFIG_DEFAULTS_H_
