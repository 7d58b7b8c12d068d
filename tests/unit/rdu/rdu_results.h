// What the codec makes of some updates, so that several compilations of it can be held against each other.
#ifndef THINWIRE_TESTS_UNIT_RDU_RDU_RESULTS_H_
#define THINWIRE_TESTS_UNIT_RDU_RDU_RESULTS_H_

#include <string>
#include <utility>
#include <vector>

// CMakeLists.txt compiles the library and rdu_results.cc once more for each of these, `thinwire` defined as its name.
// Only types of the standard library, which are the same in all of them.
using RduResult = std::pair<std::string, std::string>;  // name, bytes
namespace thinwire {
std::vector<RduResult> RduResults();
}
namespace thinwire_baseline {
std::vector<RduResult> RduResults();
}
namespace thinwire_v3 {
std::vector<RduResult> RduResults();
}

#endif  // THINWIRE_TESTS_UNIT_RDU_RDU_RESULTS_H_
