// The logistic function and its inverse on integers: how the predictions of several contexts are brought to one scale,
// mixed there, and brought back. Tables are built from integers alone, so that every machine has the same ones.
#ifndef THINWIRE_COMMON_ENTROPY_LOGISTIC_H_
#define THINWIRE_COMMON_ENTROPY_LOGISTIC_H_

#include <array>
#include <cstdint>

namespace thinwire {

// Probabilities are 1 .. 65535, in units of 2^-16; 0 and 1 never happen.
constexpr int kProbabilityBits = 16;
constexpr int kProbabilityOne = 1 << kProbabilityBits;
// Log odds, ln(p / (1 - p)), are integers in units of 1 / 256, from -kMaxLogOdds to kMaxLogOdds.
constexpr int kMaxLogOdds = 2815;
// Code lengths are in units of 2^-12 bits.
constexpr int kCostBits = 12;

struct LogisticTables {
  LogisticTables();

  std::array<uint16_t, 2 * kMaxLogOdds + 1> squash;
  std::array<int16_t, kProbabilityOne> stretch;  // 128 KB, but no branches on the way to it
  std::array<uint32_t, 4097> cost;               // by p / 16
};
const LogisticTables& Logistic();

// The probability whose log odds these are; beyond the limits, that of the limit.
inline int Squash(const LogisticTables& tables, int log_odds) {
  if (log_odds > kMaxLogOdds) log_odds = kMaxLogOdds;
  if (log_odds < -kMaxLogOdds) log_odds = -kMaxLogOdds;
  return tables.squash[log_odds + kMaxLogOdds];
}

// Squash's inverse, finer where the log odds are steep; that of 1 also for 0.
inline int Stretch(const LogisticTables& tables, int p) { return tables.stretch[p]; }

// What a symbol of probability p costs, in bits: -log2(p / 2^16), for an encoder's choices.
inline double CostInBits(const LogisticTables& tables, int p) {
  return tables.cost[(p + 8) >> 4] * (1.0 / (1 << kCostBits));
}

}  // namespace thinwire

#endif  // THINWIRE_COMMON_ENTROPY_LOGISTIC_H_
