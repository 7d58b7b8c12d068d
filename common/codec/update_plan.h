// A whole update under a hard budget of bits, as plain data: part of the exchange plan. docs/rdu.md and
// docs/quantize.md say what the codecs do.
#ifndef THINWIRE_COMMON_CODEC_UPDATE_PLAN_H_
#define THINWIRE_COMMON_CODEC_UPDATE_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/codec/codec_spec.h"

namespace thinwire {

enum class UpdateMethod : uint8_t {
  kRdu = 1,      // rate-distortion-optimised (common/rdu)
  kLevels = 2,   // all others are of common/quantize; M22 and TINYSCRIPT: top-K, Lloyd-Max levels of a fitted density
  kUniform = 3,  // top-K, uniform levels
  kFloat = 4,    // top-K, small floats
  kSign = 5,
  kQsgd = 6,
  kEden = 7,
};

// What a link carries within a time.
struct LinkBudget {
  static constexpr double kMaxSeconds = 30 * 86'400;

  uint64_t bits_per_second = 0;
  double seconds = 0;
  // Each client's budget is of the rate of its own link, as its last uploads measured it: bits_per_second is of clients
  // of which nothing is known yet.
  bool measured = false;

  friend bool operator==(const LinkBudget& a, const LinkBudget& b) {
    return a.bits_per_second == b.bits_per_second && a.seconds == b.seconds && a.measured == b.measured;
  }
};

// M of the distortion |x|^M (x - y)^2, which may move from round to round.
struct WeightExponent {
  static constexpr double kMax = 16;
  static constexpr uint32_t kMaxRounds = 1'000'000;

  double first = 0;     // in the first round
  double last = 0;      // from round `rounds` + 1 on; equal steps between
  uint32_t rounds = 0;  // 0: `first` in all rounds

  // Rounds count from 1.
  double At(uint32_t round) const;
  bool zero() const { return first == 0 && (rounds == 0 || last == 0); }
  // "4", "4..0/20"; Parse reads both.
  std::string Name() const;
  static bool Parse(absl::string_view text, WeightExponent* exponent);

  friend bool operator==(const WeightExponent& a, const WeightExponent& b) {
    return a.first == b.first && a.last == b.last && a.rounds == b.rounds;
  }
};

// How an upload is coded, and how many bits it may take. The budget is of payload_bits: of all that travels, manifest,
// headers and buffers included. Exactly one of the three forms of it is given.
struct UpdatePlan {
  static constexpr double kMaxBitsPerParameter = 32;
  static constexpr uint64_t kMaxBits = uint64_t{1} << 48;

  UpdateMethod method = UpdateMethod::kRdu;
  double bits_per_parameter = 0;  // trainable ones
  uint64_t bits = 0;
  std::optional<LinkBudget> link;

  bool fast = false;               // kRdu: its other profile
  bool weibull = false;            // kLevels: double Weibull, not generalised normal
  bool likelihood = false;         // kLevels: fitted by maximum likelihood, not by moments
  WeightExponent weight_exponent;  // kRdu (not fast), kLevels: M
  int value_bits = 0;              // kLevels, kUniform: R, of a kept entry, a sign among them
  FloatFormat format;              // kFloat
  uint64_t bucket = 0;             // kQsgd: values that share a norm, 0 for those of a tensor
  bool unbiased = false;           // kEden: ... instead of the least error
  bool rotate_twice = false;       // kEden

  CodecId codec() const { return method == UpdateMethod::kRdu ? CodecId::kRdu : CodecId::kQuantized; }
  // Of an upload of a model with so many trainable values. Whole bytes of it are used.
  uint64_t BudgetBits(uint64_t values) const;
  // As it is in this round and stays.
  UpdatePlan AtRound(uint32_t round) const;
  // Whether clients may have different budgets in one round.
  bool measures_links() const { return link.has_value() && link->measured; }
  // Not if it overshoots, be it on purpose (M > 0) or to have no bias: an update can then be further from what it
  // decodes to than from zero, and errors would grow. Where one of the others does, zeros are sent
  // (CodeContractiveUpdate).
  bool suits_error_feedback() const;
  // INVALID_ARGUMENT naming the field, the value and the limit.
  absl::Status Validate() const;
  // "rdu", "top-k gennorm M=2 R=3", "eden unbiased"; and with the budget: "rdu, 0.05 bits a parameter".
  std::string MethodName() const;
  std::string Name() const;
  // METHOD:PARTS, separated by commas, a budget among them: bits=X (a trainable parameter), total=N (an upload), or
  // link=RATE,within=TIME[,measured], such as link=64kbit,within=30s.
  //   rdu[,fast|,m=M]  m22,r=R[,m=M][,weibull][,ml]  tinyscript,r=R  topk-uniform,r=R  topk-float,format=s1eXmY
  //   sign  qsgd[,bucket=N]  eden[,unbiased][,twice]
  // M as WeightExponent has it. Validated.
  static absl::StatusOr<UpdatePlan> Parse(absl::string_view text);
  // Whether `text` starts with one of these names and a colon.
  static bool IsOne(absl::string_view text);

  friend bool operator==(const UpdatePlan& a, const UpdatePlan& b) {
    return a.method == b.method && a.bits_per_parameter == b.bits_per_parameter && a.bits == b.bits &&
           a.link == b.link && a.fast == b.fast && a.weibull == b.weibull && a.likelihood == b.likelihood &&
           a.weight_exponent == b.weight_exponent && a.value_bits == b.value_bits &&
           a.format.exponent_bits == b.format.exponent_bits && a.format.mantissa_bits == b.format.mantissa_bits &&
           a.bucket == b.bucket && a.unbiased == b.unbiased && a.rotate_twice == b.rotate_twice;
  }
};

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_UPDATE_PLAN_H_
