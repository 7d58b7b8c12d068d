#include "server/round/round_options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

TEST(RoundOptionsTest, TheDefaultsAreValid) { EXPECT_EQ(RoundOptions().Validate(), absl::OkStatus()); }

TEST(RoundOptionsTest, EachImpossibleValueIsRefusedByName) {
  const auto refused = [](auto change) {
    RoundOptions options;
    change(&options);
    return std::string(options.Validate().message());
  };
  EXPECT_THAT(refused([](RoundOptions* o) { o->rounds = 0; }), HasSubstr("rounds is 0"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->min_updates = 0; }), HasSubstr("min_updates is 0"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->min_updates = 2; }), HasSubstr("clients is 1"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->clients = 2; }), HasSubstr("invited is 1"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->max_failed_rounds = 0; }), HasSubstr("max_failed_rounds is 0"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->max_unevaluated = 0; }), HasSubstr("max_unevaluated is 0"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->deadline = -absl::Seconds(1); }), HasSubstr("deadline is -1s"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->invite_wait = -absl::Seconds(1); }), HasSubstr("invite_wait is -1s"));
  EXPECT_THAT(refused([](RoundOptions* o) { o->final_evaluation_wait = -absl::Seconds(1); }),
              HasSubstr("final_evaluation_wait is -1s"));
}

}  // namespace
}  // namespace thinwire
