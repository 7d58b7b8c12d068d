// How a tensor of any shape is looked at: as a matrix, the first dimension down, all others across.
#ifndef THINWIRE_COMMON_RDU_MATRIX_SHAPE_H_
#define THINWIRE_COMMON_RDU_MATRIX_SHAPE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace thinwire {

struct MatrixShape {
  size_t rows = 1, columns = 0;

  // Scalars and vectors are one row. The product of the dimensions must fit.
  static MatrixShape Of(absl::Span<const uint64_t> dimensions) {
    MatrixShape shape;
    shape.columns = 1;
    for (size_t i = 0; i < dimensions.size(); ++i) {
      const auto size = static_cast<size_t>(dimensions[i]);
      i == 0 && dimensions.size() > 1 ? shape.rows = size : shape.columns *= size;
    }
    return shape;
  }

  size_t size() const { return rows * columns; }
  size_t short_size() const { return std::min(rows, columns); }
  size_t long_size() const { return std::max(rows, columns); }
  // Which side of a product of factors is the short one: a component of it has an entry for each row, or each column.
  bool short_rows() const { return rows <= columns; }
  // A product of factors has at most so many components; their factors then take no more than twice the memory of the
  // tensor.
  size_t max_rank() const { return std::min<size_t>(short_size() / 2, 63); }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_RDU_MATRIX_SHAPE_H_
