#include "client/daemon/client_flags.h"

#include "client/daemon/echo_task.h"
#include "client/daemon/torch_tasks.h"
#include "common/rpc/credentials.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<std::string> WithServer(std::vector<std::string> more) {
  more.insert(more.begin(), {"--server=127.0.0.1:9480", "--insecure"});
  return more;
}

// Tasks as thinwire-client has them.
std::vector<ClientTask> Tasks() { return {ClassifyTask(nullptr), EchoTask()}; }

absl::StatusOr<ClientFlags> Parse(const std::vector<std::string>& arguments) {
  return ParseClientFlags(arguments, Tasks());
}

TEST(ClientFlagsTest, ValuesComeAfterASpaceOrAnEqualsSign) {
  ASSERT_OK_AND_ASSIGN(const ClientFlags flags,
                       Parse({"--server", "example.org:9480", "--role=evaluator", "--task", "echo", "--state=/tmp/s",
                              "--client-id", "ward-7", "--insecure"}));
  EXPECT_EQ(flags.server, "example.org:9480");
  EXPECT_EQ(flags.role, "evaluator");
  EXPECT_EQ(flags.task, "echo");
  EXPECT_EQ(flags.state, "/tmp/s");
  EXPECT_EQ(flags.client_id, "ward-7");
}

TEST(ClientFlagsTest, AnUplinkThatIsNoRateIsRefusedWithExamples) {
  EXPECT_THAT(Parse(WithServer({"--task=echo", "--uplink=128kbit"})), IsOk());
  for (const char* rate : {"128", "fast", "0kbit", "-1Mbit", "1e300Gbit", "nanGbit", "128 kb"}) {
    EXPECT_THAT(Parse(WithServer({"--task=echo", std::string("--uplink=") + rate})),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(rate), HasSubstr("for example 128kbit"))));
  }
}

TEST(ClientFlagsTest, ATaskGetsItsOwnFlags) {
  ClassifyFlags seen;
  const std::vector<ClientTask> tasks = {
      ClassifyTask([&](const ClientFlags&, const ClassifyFlags& flags) -> absl::StatusOr<std::unique_ptr<Trainer>> {
        seen = flags;
        return absl::NotFoundError("no data");
      })};
  ASSERT_OK_AND_ASSIGN(const ClientFlags flags,
                       ParseClientFlags(WithServer({"--samples", "6000", "--shard=3/10", "--augment=none"}), tasks));
  EXPECT_EQ(flags.task, "classify") << "the first task is the default";
  EXPECT_FALSE(tasks[0].make_trainer(flags).ok());
  EXPECT_EQ(seen.samples, 6000u);
  EXPECT_EQ(seen.shard, "3/10");
  EXPECT_EQ(seen.model, "cnn");
  EXPECT_EQ(seen.augment, "none");
}

TEST(ClientFlagsTest, AFlagThatTwoTasksHaveIsTheChosenOnes) {
  ClassifyFlags images;
  SpeechFlags recordings;
  const std::vector<ClientTask> tasks = {
      ClassifyTask([&](const ClientFlags&, const ClassifyFlags& flags) -> absl::StatusOr<std::unique_ptr<Trainer>> {
        images = flags;
        return absl::NotFoundError("no data");
      }),
      SpeechTask([&](const ClientFlags&, const SpeechFlags& flags) -> absl::StatusOr<std::unique_ptr<Trainer>> {
        recordings = flags;
        return absl::NotFoundError("no data");
      })};
  for (const std::vector<std::string>& choice : {std::vector<std::string>{"--task", "speech"}, {"--task=speech"}}) {
    std::vector<std::string> arguments = {"--model", "conformer-s", "--partition=speaker"};
    arguments.insert(arguments.end(), choice.begin(), choice.end());
    ASSERT_OK_AND_ASSIGN(const ClientFlags flags, ParseClientFlags(WithServer(arguments), tasks));
    EXPECT_EQ(flags.task, "speech");
    for (const ClientTask& task : tasks) EXPECT_FALSE(task.make_trainer(flags).ok());
    EXPECT_EQ(recordings.model, "conformer-s");
    EXPECT_EQ(recordings.partition, "speaker");
    EXPECT_EQ(images.model, "cnn");
  }
}

TEST(ClientFlagsTest, OneTaskMayNotDeclareAFlagTwice) {
  ClientTask task = EchoTask();
  task.flags.push_back(task.flags.front());
  EXPECT_THAT(ParseClientFlags(WithServer({}), {task}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("--echo-parameters twice")));
}

TEST(ClientFlagsTest, AMissingServerIsAnErrorNotAnEndlessWait) {
  EXPECT_THAT(Parse({"--task=echo"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--server HOST:PORT is missing")));
}

TEST(ClientFlagsTest, TransportSecurityIsSpelledOutOrPlaintextIs) {
  EXPECT_THAT(Parse({"--server=h:1"}), StatusIs(absl::StatusCode::kInvalidArgument,
                                                AllOf(HasSubstr("--ca FILE is missing"),
                                                      HasSubstr("thinwire certs client"), HasSubstr("--insecure"))));
  EXPECT_THAT(Parse({"--server=h:1", "--ca=a", "--cert=b"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--key FILE is missing")));
  ASSERT_OK_AND_ASSIGN(const ClientFlags flags, Parse({"--server=h:1", "--ca=a", "--cert=b", "--key=c"}));
  EXPECT_EQ(SecurityOf(flags).files.certificate, "b");
  EXPECT_FALSE(SecurityOf(flags).insecure);
}

TEST(ClientFlagsTest, OnceIsOneRound) {
  ASSERT_OK_AND_ASSIGN(const ClientFlags flags, Parse(WithServer({"--once"})));
  EXPECT_EQ(flags.max_rounds, 1u);
  EXPECT_THAT(Parse(WithServer({"--once", "--max-rounds=3"})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("contradicts")));
}

TEST(ClientFlagsTest, EveryErrorNamesFlagValueAndLimit) {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {
      {{"--rolle=x"}, "unknown flag '--rolle=x'"},
      {{"stray"}, "unknown flag 'stray'"},
      {{"--role=boss"}, "--role is 'boss', not one of trainer, evaluator"},
      {{"--task=guess"}, "--task is 'guess', not one of classify, echo"},
      {{"--samples=-1"}, "--samples is '-1', must be a whole number from 0 to"},
      {{"--samples=1e3"}, "--samples is '1e3'"},
      {{"--threads=0"}, "--threads is '0', must be a whole number from 1 to 1024"},
      {{"--threads=4000"}, "from 1 to 1024"},
      {{"--echo-examples=0"}, "--echo-examples is '0', must be a whole number from 1 to"},
      {{"--state="}, "--state is empty"},
      {{"--client-id=a b"}, "--client-id: client id 'a b'"},
      {{"--log-level=loud"}, "--log-level is 'loud', not one of trace"},
      {{"--insecure=false"}, "--insecure takes no value"},
      {{"--ca=ca.pem"}, "--insecure contradicts --ca, --cert and --key"},
      {{"--once=1"}, "--once takes no value"},
      {{"--model"}, "--model needs a value, NAME"},
      {{"--server=nowhere"}, "--server: server address 'nowhere' must be HOST:PORT"},
  };
  for (const auto& each : cases) {
    EXPECT_THAT(Parse(WithServer(each.arguments)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(each.message), HasSubstr("--help lists the flags"))));
  }
}

TEST(ClientFlagsTest, HelpNeedsNoServerAndNamesFlagsDefaultsAndExitCodes) {
  ASSERT_OK_AND_ASSIGN(const ClientFlags flags, Parse({"--help"}));
  EXPECT_TRUE(flags.help);
  for (const char* part : {"Usage: thinwire-client", "--server HOST:PORT", "With --task classify", "--partition RULE",
                           "(default iid)", "Exit codes: 0 the run has ended"}) {
    EXPECT_THAT(ClientHelp("thinwire-client", Tasks()), HasSubstr(part));
  }
}

}  // namespace
}  // namespace thinwire
