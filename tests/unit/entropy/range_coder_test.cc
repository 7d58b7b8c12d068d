#include "common/entropy/range_coder.h"

#include <string>
#include <vector>

#include "common/base/rng.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

struct Decision {
  int p;  // 0: raw, of `bits` bits
  int bits;
  uint32_t value;
};

// Decisions of all kinds of probability, drawn accordingly; some are raw.
std::vector<Decision> Draw(uint64_t seed, int count) {
  RandomStream random(seed);
  std::vector<Decision> decisions;
  for (int i = 0; i < count; ++i) {
    if (random.Below(10) == 0) {
      const int bits = 1 + static_cast<int>(random.Below(16));
      decisions.push_back({0, bits, static_cast<uint32_t>(random.Below(uint64_t{1} << bits))});
      continue;
    }
    const int shift = static_cast<int>(random.Below(16));
    int p = 1 + static_cast<int>(random.Below((kProbabilityOne - 1) >> shift));
    if (random.Below(2) == 0) p = kProbabilityOne - p;
    decisions.push_back({p, 1, random.Below(kProbabilityOne) < static_cast<uint64_t>(p) ? 1u : 0u});
  }
  return decisions;
}

void Encode(const Decision& decision, RangeEncoder* coder) {
  decision.p == 0 ? coder->EncodeRaw(decision.value, decision.bits) : coder->Encode(decision.value != 0, decision.p);
}

uint32_t Decode(const Decision& decision, RangeDecoder* coder) {
  return decision.p == 0 ? coder->DecodeRaw(decision.bits) : (coder->Decode(decision.p) ? 1u : 0u);
}

// The stream of all decisions, and the shortest one that tells the first `needed` of them.
std::string Stream(const std::vector<Decision>& decisions, size_t needed) {
  std::string bytes = "before";
  RangeEncoder coder(&bytes);
  RangeEncoder::Mark mark;
  for (size_t i = 0; i < decisions.size(); ++i) {
    if (i == needed) mark = coder.mark();
    Encode(decisions[i], &coder);
  }
  if (needed == decisions.size()) mark = coder.mark();
  coder.Finish(mark);
  return bytes.substr(6);
}

// How many decisions the bytes tell, all of which must be right.
size_t Told(const std::vector<Decision>& decisions, absl::string_view bytes) {
  RangeDecoder coder(bytes);
  for (size_t i = 0; i < decisions.size(); ++i) {
    const uint32_t value = Decode(decisions[i], &coder);
    if (coder.exhausted()) return i;
    EXPECT_EQ(value, decisions[i].value) << i;
  }
  return decisions.size();
}

TEST(RangeCoder, DecodesWhatWasEncoded) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<Decision> decisions = Draw(seed, 1000);
    EXPECT_EQ(Told(decisions, Stream(decisions, decisions.size())), decisions.size());
  }
}

TEST(RangeCoder, EveryPrefixTellsAPrefixOfTheDecisions) {
  const std::vector<Decision> decisions = Draw(7, 2000);
  const std::string bytes = Stream(decisions, decisions.size());
  size_t before = 0;
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const size_t told = Told(decisions, absl::string_view(bytes).substr(0, size));
    EXPECT_GE(told, before) << size;
    before = told;
  }
  EXPECT_EQ(before, decisions.size());
}

TEST(RangeCoder, TheStreamEndsWithTheLastByteThatIsNeeded) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const std::vector<Decision> decisions = Draw(seed, 300);
    for (size_t needed = 0; needed <= decisions.size(); needed += 37) {
      const std::string bytes = Stream(decisions, needed);
      EXPECT_GE(Told(decisions, bytes), needed);
      if (needed == 0) {
        EXPECT_TRUE(bytes.empty());
      }
      if (!bytes.empty()) {
        EXPECT_LT(Told(decisions, absl::string_view(bytes).substr(0, bytes.size() - 1)), needed);
      }
    }
  }
}

TEST(RangeCoder, BytesAreWithinAThousandthOfTheIdealCode) {
  const std::vector<Decision> decisions = Draw(3, 200000);
  double ideal = 0;
  for (const Decision& d : decisions) {
    ideal += d.p == 0 ? d.bits : CostInBits(Logistic(), d.value != 0 ? d.p : kProbabilityOne - d.p);
  }
  EXPECT_NEAR(8.0 * static_cast<double>(Stream(decisions, decisions.size()).size()), ideal, 0.001 * ideal + 32);
}

TEST(RangeCoder, CarriesRunThroughLongRowsOfOnes) {
  std::vector<Decision> decisions(3000, Decision{1, 1, 0});  // the low end creeps up
  decisions.push_back({kProbabilityOne - 1, 1, 0});
  decisions.insert(decisions.end(), 100, Decision{0, 16, 0xffff});
  EXPECT_EQ(Told(decisions, Stream(decisions, decisions.size())), decisions.size());
}

TEST(RangeCoder, AnyBytesDecodeToSomethingAndEnd) {
  RandomStream random(11);
  for (int i = 0; i < 200; ++i) {
    std::string bytes(random.Below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Below(3) == 0 ? 0xff : random.Below(256));
    RangeDecoder coder(bytes);
    int decisions = 0;
    while (!coder.exhausted() && decisions < 100000) {
      coder.Decode(20000);
      if (!coder.exhausted()) coder.DecodeRaw(7);
      ++decisions;
    }
    EXPECT_LT(decisions, 100000);
  }
}

}  // namespace
}  // namespace thinwire
