// Updates of any shape and kind, for tests of what must hold for all.
#ifndef THINWIRE_TESTS_UNIT_RDU_RANDOM_UPDATE_H_
#define THINWIRE_TESTS_UNIT_RDU_RANDOM_UPDATE_H_

#include <cmath>
#include <utility>
#include <vector>

#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {

// Normal, heavy-tailed, sparse, of low rank, of rows that differ, or of one magnitude.
inline float DrawValue(int family, size_t row, RandomStream* random) {
  const float x = Bell(random);
  switch (family) {
    case 0:
      return x;
    case 1:
      return x * x * x * x * x;
    case 2:
      return random->Below(50) == 0 ? x : 0;
    case 3:
      return x * static_cast<float>(row % 7);
    case 4:
      return random->Below(20) == 0 ? 1e6f * x : x;
    default:
      return x > 0 ? 1.0f : -1.0f;
  }
}

// 1,024 values or more, in matrices and vectors of such families, at some scale.
inline TestUpdate RandomUpdate(RandomStream* random) {
  TestUpdate update;
  const float scale = std::ldexp(1.0f, static_cast<int>(random->Below(60)) - 30);
  do {
    const uint64_t rows = 1 + random->Below(40), columns = 1 + random->Below(200);
    std::vector<float> values(rows * columns);
    const int family = static_cast<int>(random->Below(7));
    if (family == 6) values = LowRankValues(random->NextU64(), rows, columns, 1 + random->Below(4), 0.1f);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = scale * (family == 6 ? values[i] : DrawValue(family, i / columns, random));
    }
    update.Add(rows == 1 ? Shape{columns} : Shape{rows, columns}, std::move(values));
  } while (update.Count() < 1024 || random->Below(3) == 0);
  return update;
}

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_RDU_RANDOM_UPDATE_H_
