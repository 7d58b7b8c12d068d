// Which variant of a version's payload a client has (ModelStore::Variant).
#ifndef THINWIRE_SERVER_SERVICE_DOWNLINK_VARIANT_H_
#define THINWIRE_SERVER_SERVICE_DOWNLINK_VARIANT_H_

#include <cstdint>
#include <string>

#include "common/base/rng.h"
#include "server/round/events.h"

namespace thinwire {

// A function of run, round and client, so that it needs no record. Evaluators all get variant 0: what they measure is
// to be the same model.
inline uint32_t DownlinkVariant(uint64_t run_seed, WorkKind kind, uint32_t round, const std::string& client,
                                uint32_t variants) {
  if (kind != WorkKind::kTrain) return 0;
  return static_cast<uint32_t>(DeriveKey({run_seed, round, KeyWord(client), KeyWord("variant")}) % variants);
}

}  // namespace thinwire

#endif  // THINWIRE_SERVER_SERVICE_DOWNLINK_VARIANT_H_
