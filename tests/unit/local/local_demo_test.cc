// ./run demo in small: the real programs, the real data, the real numbers.
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include "common/tensor/safetensors.h"
#include "deploy/local/run_demo.h"
#include "deploy/local/sockets.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_directory.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr char kPrograms[] = THINWIRE_BINARY_DIR "/bin";

struct Output {
  int exit_code = -1;
  std::string text;
};

Output RunShell(const std::string& command) {
  Output output;
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  for (size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.text.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

TEST(LocalDemoTest, ASmallRunTrainsCountsItsBytesAndCanBeLookedAtAgain) {
  const TemporaryDirectory directory;
  DemoOptions options;
  options.clients = 2;
  options.rounds = 2;
  options.samples = 400;
  options.out = directory.Path("run");
  const UniqueFd no_signal(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  Progress progress(stdout, false);
  ASSERT_OK_AND_ASSIGN(const RunReport report, RunDemo(options, kPrograms, no_signal.get(), &progress));
  std::fputs(ToText(report).c_str(), stdout);

  EXPECT_EQ(report.state, "COMPLETED");
  ASSERT_EQ(report.rounds.size(), 2u);
  for (const RoundLine& round : report.rounds) {
    EXPECT_EQ(round.state, "PUBLISHED");
    EXPECT_TRUE(round.accuracy.has_value());
    EXPECT_GT(round.train_loss, 0);
  }
  for (const DirectionBytes& bytes : {report.trainers.down, report.trainers.up}) {
    EXPECT_GT(bytes.payload, 0u);
    EXPECT_GE(bytes.message, bytes.payload);
    EXPECT_GE(bytes.wire, bytes.message);
    EXPECT_LT(bytes.payload, bytes.fp32_payload);
  }
  // Initial weights go up once as FP32; all else is 11 bits of 32 and what frames and manifests add.
  EXPECT_LT(static_cast<double>(report.trainers.down.payload),
            0.36 * static_cast<double>(report.trainers.down.fp32_payload));
  EXPECT_GT(report.evaluator.down.wire, 0u);

  ASSERT_OK_AND_ASSIGN(const SafetensorsReader model, SafetensorsReader::Open(report.model_path));
  const Output rounds = RunShell("THINWIRE_BIN=" + std::string(kPrograms) +
                                 " " THINWIRE_SOURCE_DIR "/scripts/look.sh " + report.directory + " rounds");
  EXPECT_EQ(rounds.exit_code, 0) << rounds.text;
  EXPECT_THAT(rounds.text, HasSubstr("PUBLISHED"));
}

}  // namespace
}  // namespace thinwire
