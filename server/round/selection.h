// Who of those waiting takes part in a round.
#ifndef THINWIRE_SERVER_ROUND_SELECTION_H_
#define THINWIRE_SERVER_ROUND_SELECTION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace thinwire {

// `count` of the candidates (all, if there are fewer), uniformly. The same set, seed, round and draw give the same
// selection, whatever order the candidates come in. `draw` tells the selections of one round apart: clients invited
// before.
std::vector<std::string> SelectClients(std::vector<std::string> candidates, size_t count, uint64_t seed, uint32_t round,
                                       uint32_t draw);

}  // namespace thinwire

#endif  // THINWIRE_SERVER_ROUND_SELECTION_H_
