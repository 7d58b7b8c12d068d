#include "server/round/selection.h"

#include <algorithm>

#include "common/base/rng.h"

namespace thinwire {

std::vector<std::string> SelectClients(std::vector<std::string> candidates, size_t count, uint64_t seed, uint32_t round,
                                       uint32_t draw) {
  std::sort(candidates.begin(), candidates.end());
  RandomStream random(DeriveKey({seed, KeyWord("client selection"), round, draw}));
  random.Shuffle(candidates);
  candidates.resize(std::min(count, candidates.size()));
  return candidates;
}

}  // namespace thinwire
