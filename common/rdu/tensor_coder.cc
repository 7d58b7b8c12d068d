#include "common/rdu/tensor_coder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/rdu/plane_coder.h"

namespace thinwire {

UpdateModel::UpdateModel() : any_bit(49152, 2) {
  rank_bits.fill(AdaptiveBit(32768, 2));
  drop_bits.fill(AdaptiveBit(24576, 4));
}

template <class Coder>
size_t UpdateModel::CodeRank(Coder& coder, size_t rank) {
  size_t node = 1;
  for (int i = kRankBits - 1; i >= 0; --i) {
    const bool bit = coder.Bit((rank >> i & 1) != 0, rank_bits[node].p());
    rank_bits[node].Update(bit, 30);
    node = 2 * node + (bit ? 1 : 0);
  }
  return node - (size_t{1} << kRankBits);
}

template <class Coder>
int UpdateModel::CodeExponent(Coder& coder, const int* before, int exponent) {
  if (before == nullptr) {
    return static_cast<int>(coder.Raw(static_cast<uint32_t>(exponent - kLowestExponent), 8)) + kLowestExponent;
  }
  int drop = 0;
  for (; drop < kMostDrop; ++drop) {
    const bool more = coder.Bit(*before - exponent > drop, drop_bits[drop].p());
    drop_bits[drop].Update(more, 60);
    if (!more) break;
  }
  return std::max(*before - drop, kLowestExponent);
}

namespace {

// 2^exponent, |exponent| < 1000.
double PowerOfTwo(int exponent) { return std::ldexp(1.0, exponent); }

PlaneKind KindOf(const MatrixShape& shape) { return shape.rows == 1 ? PlaneKind::kVector : PlaneKind::kMatrix; }

// Both factors as numbers, in units of the step, components one after the other; what a row of the product takes.
struct Product {
  explicit Product(const MatrixShape& matrix_shape) : shape(matrix_shape) {}

  // Adds row i to `out`.
  void AddRow(size_t i, double* out) {
    if (rank == 0) return;
    const std::vector<double>& down = shape.short_rows() ? short_side : long_side;
    const std::vector<double>& across = shape.short_rows() ? long_side : short_side;
    weights.resize(rank);
    for (size_t k = 0; k < rank; ++k) weights[k] = down[k * shape.rows + i];
    AddProductRow(weights.data(), across.data(), rank, shape.columns, out);
  }

  const MatrixShape shape;
  size_t rank = 0;
  std::vector<double> short_side, long_side, weights;
};

// round(log2(norm)), kept where exponents are.
int ExponentOf(double norm) {
  int exponent;
  const double mantissa = std::frexp(norm, &exponent);
  if (mantissa < 0.70710678118654752) --exponent;
  return std::clamp(exponent, UpdateModel::kLowestExponent, UpdateModel::kLowestExponent + 255);
}

class TensorEncoder {
 public:
  TensorEncoder(const TensorStatistics& tensor, double step, UpdateModel* model, RangeEncoder* coder,
                RangeEncoder::Mark* needed)
      : tensor_(tensor), step_(step), model_(model), coder_(coder), needed_(needed), product_(tensor.matrix()) {}

  void EncodeFactors(size_t rank) {
    product_.rank = rank;
    if (rank == 0) return;
    EncodeShortSide();
    // With what the short side has become, the long side makes good part of its error. It is zero where that fails.
    if (!FitLongSide(tensor_.matrix(), product_.short_side, rank, &product_.long_side)) {
      std::fill(product_.long_side.begin(), product_.long_side.end(), 0.0);
    }
    EncodeLongSide();
  }

  void EncodeRest() {
    const MatrixView& matrix = tensor_.matrix();
    PlaneEncoder plane(KindOf(matrix), matrix.columns, &model_->coefficients, coder_);
    std::vector<double> row(matrix.columns), product(matrix.columns);
    std::vector<int32_t> coefficients(matrix.columns);
    for (size_t i = 0; i < matrix.rows; ++i) {
      std::fill(product.begin(), product.end(), 0.0);
      product_.AddRow(i, product.data());
      const float* values = matrix.values + i * matrix.columns;
      for (size_t j = 0; j < matrix.columns; ++j) row[j] = values[j] / step_ - product[j];
      plane.EncodeRow(row.data(), kSlope, coefficients.data());
    }
    *needed_ = plane.needed(*needed_);
  }

 private:
  void EncodeShortSide() {
    const size_t size = tensor_.matrix().short_size(), rank = product_.rank;
    const Factors& factors = tensor_.factors();
    EncodeBits bits{coder_};
    std::vector<int> exponents(rank);
    for (size_t k = 0; k < rank; ++k) {
      const int wanted = ExponentOf(std::sqrt(factors.energy[k]) / step_);
      exponents[k] = model_->CodeExponent(bits, k == 0 ? nullptr : &exponents[k - 1], wanted);
    }
    PlaneEncoder plane(PlaneKind::kShortFactor, size, &model_->coefficients, coder_);
    product_.short_side.resize(rank * size);
    std::vector<double> row(size);
    std::vector<int32_t> coefficients(size);
    for (size_t k = 0; k < rank; ++k) {
      const double unit = PowerOfTwo(-exponents[k]), norm = std::sqrt(factors.energy[k]) / step_ * unit;
      for (size_t i = 0; i < size; ++i) row[i] = factors.short_side[k * size + i] / unit;
      plane.EncodeRow(row.data(), kSlope / (norm * norm), coefficients.data());
      for (size_t i = 0; i < size; ++i) product_.short_side[k * size + i] = Reconstruct(coefficients[i]) * unit;
    }
    *needed_ = plane.needed(*needed_);
  }

  void EncodeLongSide() {
    const size_t size = tensor_.matrix().long_size();
    PlaneEncoder plane(PlaneKind::kLongFactor, size, &model_->coefficients, coder_);
    std::vector<int32_t> coefficients(size);
    for (size_t k = 0; k < product_.rank; ++k) {
      double* row = product_.long_side.data() + k * size;
      for (size_t j = 0; j < size; ++j) row[j] /= step_;
      plane.EncodeRow(row, kSlope, coefficients.data());
      std::transform(coefficients.begin(), coefficients.end(), row, Reconstruct);
    }
    *needed_ = plane.needed(*needed_);
  }

  const TensorStatistics& tensor_;
  const double step_;
  UpdateModel* const model_;
  RangeEncoder* const coder_;
  RangeEncoder::Mark* const needed_;
  Product product_;
};

// `rank` rows of a factor, row k times units[k].
std::vector<double> DecodeSide(PlaneKind kind, const std::vector<double>& units, size_t size, UpdateModel* model,
                               RangeDecoder* coder) {
  PlaneDecoder plane(kind, size, &model->coefficients, coder);
  std::vector<int32_t> coefficients(size);
  std::vector<double> side(units.size() * size);
  for (size_t k = 0; k < units.size(); ++k) {
    plane.DecodeRow(coefficients.data());
    for (size_t i = 0; i < size; ++i) side[k * size + i] = Reconstruct(coefficients[i]) * units[k];
  }
  return side;
}

// False if the stream ended.
bool DecodeFactors(UpdateModel* model, RangeDecoder* coder, Product* product) {
  DecodeBits bits{coder};
  const MatrixShape& shape = product->shape;
  const size_t rank = shape.max_rank() == 0 ? 0 : std::min(model->CodeRank(bits, 0), shape.max_rank());
  std::vector<int> exponents(rank);
  std::vector<double> units(rank);
  for (size_t k = 0; k < rank; ++k) {
    exponents[k] = model->CodeExponent(bits, k == 0 ? nullptr : &exponents[k - 1], 0);
    units[k] = PowerOfTwo(-exponents[k]);
  }
  if (coder->exhausted()) return false;
  product->rank = rank;
  if (rank == 0) return true;
  product->short_side = DecodeSide(PlaneKind::kShortFactor, units, shape.short_size(), model, coder);
  product->long_side =
      DecodeSide(PlaneKind::kLongFactor, std::vector<double>(rank, 1.0), shape.long_size(), model, coder);
  return true;
}

float ToFloat(double value) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kLargest, kLargest));
}

}  // namespace

void EncodeTensor(const TensorStatistics& tensor, size_t rank, double step, UpdateModel* model, RangeEncoder* coder,
                  RangeEncoder::Mark* needed) {
  EncodeBits bits{coder};
  if (!model->CodeAny(bits, tensor.absmax() >= 0.5 * step)) return;
  if (tensor.matrix().max_rank() > 0) model->CodeRank(bits, rank);
  TensorEncoder encoder(tensor, step, model, coder, needed);
  encoder.EncodeFactors(rank);
  encoder.EncodeRest();
}

void DecodeTensor(const MatrixShape& shape, double step, UpdateModel* model, RangeDecoder* coder,
                  absl::Span<float> out) {
  DecodeBits bits{coder};
  std::fill(out.begin(), out.end(), 0.0f);
  Product product(shape);
  if (coder->exhausted() || !model->CodeAny(bits, false) || !DecodeFactors(model, coder, &product)) return;
  PlaneDecoder plane(KindOf(shape), shape.columns, &model->coefficients, coder);
  std::vector<double> row(shape.columns);
  std::vector<int32_t> coefficients(shape.columns);
  for (size_t i = 0; i < shape.rows; ++i) {
    plane.DecodeRow(coefficients.data());
    std::fill(row.begin(), row.end(), 0.0);
    product.AddRow(i, row.data());
    for (size_t j = 0; j < shape.columns; ++j) {
      out[i * shape.columns + j] = ToFloat(step * (row[j] + Reconstruct(coefficients[j])));
    }
  }
}

}  // namespace thinwire
