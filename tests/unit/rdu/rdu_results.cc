#include "tests/unit/rdu/rdu_results.h"

#include "absl/strings/str_cat.h"
#include "common/base/portable_math.h"
#include "common/rdu/low_rank.h"
#include "tests/unit/rdu/update_fixture.h"

namespace thinwire {
namespace {

template <class T>
std::string Bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// All that is done with a matrix before and after its coefficients are coded. Sizes fill no vector, block or tile.
void AddMatrix(size_t rows, size_t columns, std::vector<RduResult>* results) {
  const std::vector<float> values = LowRankValues(rows, rows, columns, 7, 0.1f);
  MatrixView matrix;
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.values = values.data();
  const std::string name = absl::StrCat(rows, " x ", columns, ", ");
  Factors factors = LeadingFactors(matrix, 7);
  results->emplace_back(name + "short side", Bytes(factors.short_side));
  results->emplace_back(name + "long side", Bytes(factors.long_side));
  for (double& x : factors.short_side) x = std::round(16 * x) / 16;
  FitLongSide(matrix, factors.short_side, 7, &factors.long_side);
  results->emplace_back(name + "fitted long side", Bytes(factors.long_side));
  const std::vector<double>& across = rows < columns ? factors.long_side : factors.short_side;
  std::vector<double> row(columns, 0.5);
  AddProductRow(factors.short_side.data(), across.data(), 7, columns, row.data());
  results->emplace_back(name + "row of the product", Bytes(row));
  std::vector<double> short_energies, long_energies;
  SideEnergies(matrix, &short_energies, &long_energies);
  results->emplace_back(name + "energies", Bytes(short_energies) + Bytes(long_energies));
}

void AddUpdate(const TestUpdate& update, double bits_per_value, const UpdateOptions& options,
               std::vector<RduResult>* results) {
  const auto bits = static_cast<uint64_t>(bits_per_value * static_cast<double>(update.Count()));
  const std::string bytes = *EncodeUpdate(update.Tensors(), bits, nullptr, options);
  const std::string name = absl::StrCat(bits_per_value, " bits, M = ", options.weight_exponent,
                                        options.profile == UpdateProfile::kFast ? ", fast, " : ", ");
  results->emplace_back(name + "bytes", bytes);
  const std::vector<std::vector<float>> decoded = *Decode(bytes, update.shapes);
  for (size_t i = 0; i < decoded.size(); ++i) {
    results->emplace_back(absl::StrCat(name, "tensor ", i), Bytes(decoded[i]));
  }
}

}  // namespace

std::vector<RduResult> RduResults() {
  std::vector<RduResult> results;
  AddMatrix(45, 1037, &results);
  AddMatrix(1037, 45, &results);
  std::vector<double> powers(1001);
  for (size_t i = 0; i < powers.size(); ++i) powers[i] = std::ldexp(1 + static_cast<double>(i) / 1001, 40 - i % 80);
  PortablePowers(0.8, powers.size(), powers.data());
  results.emplace_back("powers", Bytes(powers));
  TestUpdate update = NetworkUpdate(5);
  update.Add({45, 1037}, LowRankValues(6, 45, 1037, 7, 0.1f));
  for (const double bits : {0.05, 0.5, 3.0}) AddUpdate(update, bits, {}, &results);
  AddUpdate(update, 0.5, {UpdateProfile::kBest, 4}, &results);
  AddUpdate(update, 0.5, {UpdateProfile::kFast}, &results);
  return results;
}

}  // namespace thinwire
