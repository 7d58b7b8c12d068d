#include "deploy/local/run_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace thinwire {
namespace {

using testing::HasSubstr;

RunReport Example() {
  RunReport report;
  report.options.clients = 2;
  report.state = "COMPLETED";
  report.rounds = {{1, "PUBLISHED", 2.5, 1.25, 0.75, 0.5, 100, 90, {}}, {2, "FAILED", 3, 0, {}, {}, 100, 0, {}}};
  report.rounds[0].uploads = {2, 1980, 2000, 0.25, 0.5, 0.125, 0.2, {}, {}, 12.5};
  report.accuracy = 0.8125;
  report.trainers = {{11'000'000, 11'100'000, 11'220'000, 32'000'000}, {5'500'000, 5'600'000, 5'610'000, 16'000'000}};
  report.evaluator = {{1'000'000, 1'010'000, 1'020'000, 3'000'000}, {0, 500, 700, 0}};
  report.seconds = 61.5;
  report.server = {4.5, 30'000'000};
  report.clients = {99, 280'000'000};
  report.directory = "/runs/demo";
  report.model_path = "/runs/demo/state/model.safetensors";
  return report;
}

TEST(RunReportTest, TheTableShowsRoundsBytesAndWhatToDoNext) {
  EXPECT_EQ(ToText(Example()),
            "COMPLETED: 2 rounds, 2 clients, s1e3m7, in 61.5 s; test accuracy 0.8125\n"
            "\n"
            "round  accuracy  eval loss  train loss  seconds\n"
            "    1    0.5000     0.7500      1.2500     2.50\n"
            "    2         -          -      0.0000     3.00  FAILED\n"
            "\n"
            "bytes of all trainers                 down              up\n"
            "  payload                        11.000 MB        5.500 MB\n"
            "  messages                       11.100 MB        5.600 MB\n"
            "  on the wire                    11.220 MB        5.610 MB\n"
            "  the same payload as FP32       32.000 MB       16.000 MB\n"
            "  payload / FP32                   34.38 %         34.38 %\n"
            "  wire above payload                2.00 %          2.00 %\n"
            "evaluator's download: payload 1.000 MB, on the wire 1.020 MB\n"
            "uploads: 2 updates, 0.25 bits a parameter, 99.00 % of the budget, relative squared error 0.2\n"
            "\n"
            "peak memory  server 30 MB and 4.5 CPU s, largest client 280 MB, all clients 99.0 CPU s\n"
            "model        /runs/demo/state/model.safetensors\n"
            "results      /runs/demo/result.json, result.md; logs in logs/\n"
            "look again   ./run look /runs/demo rounds\n");
}

TEST(RunReportTest, ARunThatEndedOtherwiseSaysWhy) {
  RunReport report = Example();
  report.state = "FAILED";
  report.reason = "3 rounds in a row failed";
  report.accuracy.reset();
  report.model_path.clear();
  EXPECT_THAT(ToText(report), HasSubstr("FAILED: 2 rounds, 2 clients, s1e3m7, in 61.5 s; 3 rounds in a row failed\n"));
  EXPECT_THAT(ToText(report), HasSubstr("model        none\n"));
}

TEST(RunReportTest, MarkdownHasTheSameFigures) {
  const std::string markdown = ToMarkdown(Example());
  EXPECT_THAT(markdown, HasSubstr("| 1 | 0.5000 | 0.7500 | 1.2500 | 2.50 |\n"));
  EXPECT_THAT(markdown, HasSubstr("| on the wire | 11.220 MB | 5.610 MB |\n"));
}

TEST(RunReportTest, JsonHasBytesAsIntegersAndNullWhereNothingWasMeasured) {
  const nlohmann::json json = nlohmann::json::parse(ToJson(Example()));
  EXPECT_EQ(json["trainers"]["down"]["wire"], 11'220'000);
  EXPECT_EQ(json["evaluator"]["up"]["message"], 500);
  EXPECT_EQ(json["rounds"][0]["accuracy"], 0.5);
  EXPECT_TRUE(json["rounds"][1]["accuracy"].is_null());
  EXPECT_EQ(json["options"]["plan"], "s1e3m7");
  EXPECT_EQ(json["options"]["local_epochs"], 1);
  EXPECT_EQ(json["state"], "COMPLETED");
}

TEST(RunReportTest, JsonStaysValidWhateverTextCameFromElsewhere) {
  RunReport report = Example();
  report.reason = "bytes \xff\xfe and \"quotes\"\n";
  EXPECT_TRUE(nlohmann::json::accept(ToJson(report)));
}

TEST(RunReportTest, NothingSentGivesNoRatio) {
  RunReport report = Example();
  report.trainers = {};
  EXPECT_THAT(ToText(report), HasSubstr("  payload / FP32                         -               -\n"));
}

}  // namespace
}  // namespace thinwire
