#include "common/rdu/update_codec.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/portable_math.h"
#include "common/base/status_macros.h"
#include "common/rdu/companding.h"
#include "common/rdu/fast_update.h"
#include "common/rdu/tensor_coder.h"
#include "common/rdu/update_encoder.h"

namespace thinwire {
namespace {

// More components are not looked for: looking costs time.
constexpr size_t kSoughtRank = 32;
// From this M on companding lowered the weighted error at all rates; at M = 1 it raises it from half a bit a value on.
constexpr double kSurelyBent = 2;

absl::Status CheckDimensions(absl::Span<const uint64_t> dimensions, size_t size) {
  uint64_t product = 1;
  for (const uint64_t dimension : dimensions) {
    if (dimension != 0 && product > kMaxUpdateValues / dimension)
      product = kMaxUpdateValues + 1;
    else
      product *= dimension;
  }
  if (product == size && size <= kMaxUpdateValues) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a tensor of ", size, " values, whose dimensions make ", product,
                                                 "; both must be the same and at most ", kMaxUpdateValues));
}

absl::Status CheckFinite(absl::Span<const float> values, size_t tensor) {
  const auto bad = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (bad == values.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("value ", bad - values.begin(), " of tensor ", tensor,
                                                 " of an update is ", *bad, "; an update has finite values only"));
}

// The coding order of an update whose sizes are in order.
absl::StatusOr<std::vector<size_t>> CheckedOrder(absl::Span<const UpdateTensor> tensors) {
  if (tensors.size() > kMaxUpdateTensors) {
    return absl::InvalidArgumentError(
        absl::StrCat("an update of ", tensors.size(), " tensors; there can be ", kMaxUpdateTensors));
  }
  std::vector<uint64_t> sizes;
  uint64_t total = 0;
  for (const UpdateTensor& tensor : tensors) {
    TW_RETURN_IF_ERROR(CheckDimensions(tensor.dimensions, tensor.values.size()));
    sizes.push_back(tensor.values.size());
    total += sizes.back();
  }
  if (total <= kMaxUpdateValues) return CodingOrder(sizes);
  return absl::InvalidArgumentError(absl::StrCat("an update of ", total, " values; there can be ", kMaxUpdateValues));
}

absl::StatusOr<std::vector<MatrixView>> Matrices(absl::Span<const UpdateTensor> tensors,
                                                 const std::vector<size_t>& order) {
  std::vector<MatrixView> views;
  for (const size_t i : order) {
    TW_RETURN_IF_ERROR(CheckFinite(tensors[i].values, i));
    MatrixView view;
    static_cast<MatrixShape&>(view) = MatrixShape::Of(tensors[i].dimensions);
    view.values = tensors[i].values.data();
    views.push_back(view);
  }
  return views;
}

absl::Status CheckExponent(const UpdateOptions& options) {
  const double most = options.profile == UpdateProfile::kBest ? Companding::kMaxExponent : 0;
  if (options.weight_exponent >= 0 && options.weight_exponent <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("errors weighed by |x|^", options.weight_exponent,
                                                 "; the exponent must be 0 to ", most,
                                                 most == 0 ? " in the fast profile" : ""));
}

// No more components than the budget could pay: their entries take a bit and a half each, or are not worth it.
size_t AffordableRank(const MatrixView& matrix, uint64_t budget_bits) {
  const uint64_t sides = 3 * (matrix.rows + matrix.columns) / 2;
  return std::min<size_t>(kSoughtRank, static_cast<size_t>(budget_bits / std::max<uint64_t>(sides, 1)) + 2);
}

// `ranks` in coding order.
UpdateReport ReportOf(StepCode step, const Ranks& ranks, const std::vector<size_t>& order) {
  UpdateReport report;
  report.step = StepOf(step);
  report.rank.resize(ranks.size());
  for (size_t i = 0; i < ranks.size(); ++i) report.rank[order[i]] = ranks[i];
  return report;
}

absl::StatusOr<std::string> EncodeBestUpdate(absl::Span<const UpdateTensor> tensors, const std::vector<size_t>& order,
                                             size_t budget, UpdateReport* report) {
  TW_ASSIGN_OR_RETURN(const std::vector<MatrixView> matrices, Matrices(tensors, order));
  if (budget <= kUpdateHeaderSize) return std::string();
  Ranks max_ranks;
  for (const MatrixView& matrix : matrices) max_ranks.push_back(AffordableRank(matrix, 8 * budget));
  const UpdateEncoder encoder(matrices, max_ranks);
  report->finest = encoder.zero();
  if (encoder.zero()) return std::string();
  BudgetResult result = EncodeToBudget(encoder, budget, kMaxTrials);
  *report = ReportOf(result.step, result.ranks, order);
  report->trials = result.trials;
  report->finest = result.finest;
  return std::move(result.bytes);
}

float LargestMagnitude(absl::Span<const UpdateTensor> tensors) {
  float largest = 0;
  for (const UpdateTensor& tensor : tensors) {
    for (const float value : tensor.values) largest = std::max(largest, std::fabs(value));
  }
  return largest;
}

// The update of values through the companding, whose bytes follow its header.
absl::StatusOr<std::string> EncodeBent(const Companding& companding, absl::Span<const UpdateTensor> tensors,
                                       const std::vector<size_t>& order, size_t budget, UpdateReport* report) {
  std::vector<std::vector<float>> values;
  std::vector<UpdateTensor> companded;
  for (const UpdateTensor& tensor : tensors) {
    values.push_back(companding.Compress(tensor.values));
    companded.push_back({values.back(), tensor.dimensions});
  }
  TW_ASSIGN_OR_RETURN(std::string bytes,
                      EncodeBestUpdate(companded, order, budget - std::min(budget, Companding::kSize), report));
  if (bytes.empty()) return bytes;
  bytes[0] = static_cast<char>(kCompandedVersion);
  bytes.insert(kUpdateHeaderSize, companding.Bytes());
  return bytes;
}

// Sum of |x|^M (x - y)^2, y what the bytes decode to. Of portable operations, as it decides what is sent.
absl::StatusOr<double> WeightedError(absl::Span<const UpdateTensor> tensors, const std::vector<size_t>& order,
                                     absl::string_view bytes, double exponent) {
  TW_ASSIGN_OR_RETURN(UpdateDecoder decoder, UpdateDecoder::Create(bytes));
  std::vector<float> decoded;
  std::vector<double> weights;
  double sum = 0;
  for (const size_t t : order) {
    decoded.resize(tensors[t].values.size());
    TW_RETURN_IF_ERROR(decoder.Next(tensors[t].dimensions, absl::MakeSpan(decoded)));
    const float* const values = tensors[t].values.data();
    weights.resize(decoded.size());
    for (size_t i = 0; i < decoded.size(); ++i) weights[i] = values[i] == 0 ? 1.0 : std::fabs(values[i]);
    PortablePowers(exponent, weights.size(), weights.data());
    for (size_t i = 0; i < decoded.size(); ++i) {
      const double x = values[i], error = x - decoded[i];
      if (x != 0) sum += weights[i] * error * error;
    }
  }
  return sum;
}

// At M = 0 the plain update; at a small M the better one of plain and companded, by the error that M weighs.
absl::StatusOr<std::string> EncodeCompanded(absl::Span<const UpdateTensor> tensors, const std::vector<size_t>& order,
                                            size_t budget, double weight_exponent, UpdateReport* report) {
  for (const size_t i : order) TW_RETURN_IF_ERROR(CheckFinite(tensors[i].values, i));
  const Companding companding(weight_exponent, LargestMagnitude(tensors));
  if (companding.linear()) return EncodeBestUpdate(tensors, order, budget, report);
  TW_ASSIGN_OR_RETURN(std::string bytes, EncodeBent(companding, tensors, order, budget, report));
  if (weight_exponent >= kSurelyBent) return bytes;
  UpdateReport plain_report;
  TW_ASSIGN_OR_RETURN(std::string plain, EncodeBestUpdate(tensors, order, budget, &plain_report));
  TW_ASSIGN_OR_RETURN(const double bent_error, WeightedError(tensors, order, bytes, weight_exponent));
  TW_ASSIGN_OR_RETURN(const double plain_error, WeightedError(tensors, order, plain, weight_exponent));
  if (bent_error < plain_error) return bytes;
  *report = plain_report;
  return plain;
}

absl::StatusOr<std::string> EncodeFastUpdate(absl::Span<const UpdateTensor> tensors, const std::vector<size_t>& order,
                                             size_t budget, UpdateReport* report) {
  std::vector<absl::Span<const float>> values;
  for (const size_t i : order) values.push_back(tensors[i].values);
  TW_ASSIGN_OR_RETURN(FastResult result, EncodeFast(values, order, std::max(budget, kUpdateHeaderSize)));
  *report = ReportOf(result.step, {}, {});
  report->trials = result.trials;
  report->finest = result.finest;
  return std::move(result.bytes);
}

}  // namespace

std::vector<size_t> CodingOrder(absl::Span<const uint64_t> sizes) {
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sizes[a] < sizes[b]; });
  return order;
}

absl::StatusOr<std::string> EncodeUpdate(absl::Span<const UpdateTensor> tensors, uint64_t budget_bits,
                                         UpdateReport* report, const UpdateOptions& options) {
  UpdateReport unused;
  if (report == nullptr) report = &unused;
  *report = UpdateReport();
  TW_RETURN_IF_ERROR(CheckExponent(options));
  TW_ASSIGN_OR_RETURN(const std::vector<size_t> order, CheckedOrder(tensors));
  const auto budget = static_cast<size_t>(std::min<uint64_t>(budget_bits / 8, kMaxUpdateValues * 8));
  if (options.profile == UpdateProfile::kFast) return EncodeFastUpdate(tensors, order, budget, report);
  return EncodeCompanded(tensors, order, budget, options.weight_exponent, report);
}

absl::StatusOr<std::string> EncodeUpdateAtStep(absl::Span<const UpdateTensor> tensors, double step, size_t max_rank,
                                               UpdateReport* report) {
  TW_ASSIGN_OR_RETURN(const std::vector<size_t> order, CheckedOrder(tensors));
  TW_ASSIGN_OR_RETURN(const std::vector<MatrixView> matrices, Matrices(tensors, order));
  const UpdateEncoder encoder(matrices, Ranks(matrices.size(), max_rank));
  const StepCode code = std::max(StepCodeOf(step), encoder.finest_step());
  double bits;
  const Ranks ranks = encoder.ChooseRanks(code, &bits);
  if (report != nullptr) *report = ReportOf(code, ranks, order);
  return encoder.Encode(code, ranks);
}

struct UpdateDecoder::State {
  explicit State(absl::string_view stream) : coder(stream) {}

  std::optional<FastDecoder> fast;  // or else
  std::optional<Companding> companding;
  double step = 0;
  UpdateModel model;
  RangeDecoder coder;
};

UpdateDecoder::UpdateDecoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
UpdateDecoder::UpdateDecoder(UpdateDecoder&&) noexcept = default;
UpdateDecoder& UpdateDecoder::operator=(UpdateDecoder&&) noexcept = default;
UpdateDecoder::~UpdateDecoder() = default;

absl::StatusOr<UpdateDecoder> UpdateDecoder::Create(absl::string_view bytes) {
  if (bytes.empty()) return UpdateDecoder(std::make_unique<State>(bytes));
  TW_ASSIGN_OR_RETURN(const UpdateHeader header, ReadUpdateHeader(bytes));
  absl::string_view stream = bytes.substr(kUpdateHeaderSize);
  std::optional<Companding> companding;
  if (header.version == kCompandedVersion) {
    if (stream.size() <= Companding::kSize) {
      return absl::InvalidArgumentError(absl::StrCat("a companded update of ", bytes.size(), " bytes; it has more"));
    }
    TW_ASSIGN_OR_RETURN(companding, Companding::Read(stream.substr(0, Companding::kSize)));
    stream.remove_prefix(Companding::kSize);
  }
  auto state = std::make_unique<State>(stream);
  state->step = header.step;
  state->companding = companding;
  if (header.version == kFastVersion) {
    TW_ASSIGN_OR_RETURN(SparseReader reader, SparseReader::Create(stream));
    state->fast.emplace(reader, header.step);
  }
  return UpdateDecoder(std::move(state));
}

absl::Status UpdateDecoder::Next(absl::Span<const uint64_t> dimensions, absl::Span<float> out) {
  TW_RETURN_IF_ERROR(CheckDimensions(dimensions, out.size()));
  if (state_->fast) {
    state_->fast->Next(out);
    return absl::OkStatus();
  }
  DecodeTensor(MatrixShape::Of(dimensions), state_->step, &state_->model, &state_->coder, out);
  if (state_->companding) state_->companding->Expand(out);
  return absl::OkStatus();
}

absl::Status UpdateDecoder::Finish() const {
  if (state_->fast) return state_->fast->Finish();
  if (state_->coder.all_read()) return absl::OkStatus();
  return absl::InvalidArgumentError("an update goes on after its last value");
}

}  // namespace thinwire
