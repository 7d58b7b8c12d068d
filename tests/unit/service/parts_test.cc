// The small parts of the service room, one by one.
#include <gmock/gmock.h>

#include <thread>

#include "common/wire/convert.h"
#include "server/service/alarm.h"
#include "server/service/chunks.h"
#include "server/service/client_registry.h"
#include "server/service/held_calls.h"
#include "server/service/join_check.h"
#include "server/service/model_difference.h"
#include "server/service/open_uploads.h"
#include "server/service/status_board.h"
#include "server/service/stream_quota.h"
#include "server/service/traffic_meter.h"
#include "server/service/update_states.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Monotonic kStart = absl::Seconds(100);

TensorSpec Weights(const std::string& name, std::vector<int64_t> shape) {
  return {name, std::move(shape), DataType::kFloat32, TensorRole::kTrainable};
}

ClientInfo Trainer(const std::string& id) {
  ClientInfo info;
  info.id = id;
  info.examples = 5;
  return info;
}

TEST(StreamQuota, HasALimitInAllAndOneForEachClient) {
  StreamQuota quota("downloads", 3, 2);
  ASSERT_THAT(quota.Enter("a"), IsOk());
  ASSERT_THAT(quota.Enter("a"), IsOk());
  EXPECT_THAT(quota.Enter("a"), StatusIs(absl::StatusCode::kResourceExhausted,
                                         AllOf(HasSubstr("'a' has 2"), HasSubstr("limits.downloads_per_client"))));
  ASSERT_THAT(quota.Enter("b"), IsOk());
  EXPECT_THAT(quota.Enter("c"), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limits.downloads ")));
  quota.Leave("a");
  EXPECT_THAT(quota.Enter("c"), IsOk());
  EXPECT_EQ(quota.open(), 3u);
}

TEST(Chunks, UploadsOfALargeRoundHoldNoMoreTogether) {
  EXPECT_EQ(GrantedChunkBytes(0), 256u * 1024);
  EXPECT_EQ(GrantedChunkBytes(8), 256u * 1024);
  EXPECT_EQ(GrantedChunkBytes(16), 128u * 1024);
  EXPECT_EQ(GrantedChunkBytes(10'000), 64u * 1024);
}

TEST(ClientRegistry, ALeaseEndsAfterSilenceAndNotBefore) {
  ClientRegistry clients(absl::Seconds(10));
  EXPECT_EQ(clients.NextExpiry(), absl::InfiniteDuration());
  clients.Put(Trainer("a"), kStart);
  clients.Put(Trainer("b"), kStart);
  EXPECT_EQ(clients.NextExpiry(), kStart + absl::Seconds(10));
  EXPECT_TRUE(clients.Touch("a", kStart + absl::Seconds(6)));
  EXPECT_THAT(clients.TakeExpired(kStart + absl::Seconds(9)), IsEmpty());
  EXPECT_THAT(clients.TakeExpired(kStart + absl::Seconds(10)), ElementsAre("b"));
  EXPECT_EQ(clients.NextExpiry(), kStart + absl::Seconds(16));
  EXPECT_EQ(clients.live(Role::kTrainer), 1u);
  EXPECT_FALSE(clients.Touch("b", kStart));
}

TEST(ClientRegistry, AClientThatIsExpectedIsNotLiveButItsLeaseRuns) {
  ClientRegistry clients(absl::Seconds(10));
  clients.Expect("a", kStart);
  EXPECT_EQ(clients.live(Role::kTrainer), 0u);
  EXPECT_FALSE(clients.Find("a").has_value());
  EXPECT_FALSE(clients.Touch("a", kStart + absl::Seconds(5)));
  EXPECT_THAT(clients.TakeExpired(kStart + absl::Seconds(10)), ElementsAre("a"));
  clients.Put(Trainer("b"), kStart);
  clients.Expect("b", kStart);  // joined already
  EXPECT_TRUE(clients.Find("b").has_value());
}

TEST(ClientRegistry, JoiningAgainInAnotherRoleMovesTheCount) {
  ClientRegistry clients(absl::Seconds(10));
  clients.Put(Trainer("a"), kStart);
  ClientInfo evaluator = Trainer("a");
  evaluator.role = Role::kEvaluator;
  clients.Put(evaluator, kStart);
  EXPECT_EQ(clients.live(Role::kTrainer), 0u);
  EXPECT_EQ(clients.live(Role::kEvaluator), 1u);
  EXPECT_EQ(clients.RoleOf("a"), Role::kEvaluator);
  clients.Remove("a");
  EXPECT_EQ(clients.live(Role::kEvaluator), 0u);
}

HeldCall Call(uint64_t id, const std::string& client, absl::Status* answer) {
  return {id, client, [answer](const auto& any) { *answer = any.status(); }};
}

TEST(HeldCalls, EachCallIsAnsweredOnce) {
  HeldCalls calls;
  absl::Status first = absl::UnknownError("not yet");
  absl::Status second = first;
  calls.Enter(Call(1, "a", &first), kStart + absl::Seconds(3));
  calls.Enter(Call(2, "a", &second), kStart + absl::Seconds(5));
  EXPECT_TRUE(absl::IsAborted(first));
  EXPECT_FALSE(calls.Cancel("a", 1));  // the call that it replaced
  EXPECT_EQ(calls.NextExpiry(), kStart + absl::Seconds(5));
  EXPECT_THAT(calls.Expired(kStart + absl::Seconds(4)), IsEmpty());
  EXPECT_THAT(calls.Expired(kStart + absl::Seconds(5)), ElementsAre("a"));
  EXPECT_TRUE(calls.Answer("a", v1::AwaitAssignmentResponse()));
  EXPECT_TRUE(second.ok());
  EXPECT_FALSE(calls.Answer("a", v1::AwaitAssignmentResponse()));
  EXPECT_EQ(calls.NextExpiry(), absl::InfiniteDuration());
}

TEST(HeldCalls, ACancelledCallIsAnsweredCancelled) {
  HeldCalls calls;
  absl::Status answer;
  calls.Enter(Call(7, "a", &answer), kStart);
  EXPECT_TRUE(calls.Cancel("a", 7));
  EXPECT_TRUE(absl::IsCancelled(answer));
  EXPECT_EQ(calls.size(), 0u);
}

class FakeStream : public UploadStream {
 public:
  void End(const absl::StatusOr<v1::UploadResponse>& outcome) override { ended = outcome.status(); }
  absl::Status ended = absl::UnknownError("open");
};

TEST(OpenUploads, TheLimitHoldsAndANewerUploadReplacesTheOlder) {
  OpenUploads uploads(2);
  FakeStream a;
  FakeStream b;
  FakeStream c;
  FakeStream newer;
  EXPECT_THAT(uploads.Enter("a", &a), IsOk());
  EXPECT_THAT(uploads.Enter("b", &b), IsOk());
  EXPECT_THAT(uploads.Enter("c", &c), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limits.uploads, 2,")));
  EXPECT_THAT(uploads.Enter("a", &newer), IsOk());
  EXPECT_TRUE(absl::IsAborted(a.ended));
  uploads.Leave("a", &a);  // the older one; the newer stays
  EXPECT_EQ(uploads.size(), 2u);
  uploads.Leave("b", &b);
  EXPECT_THAT(uploads.Enter("c", &c), IsOk());
  uploads.EndAll(absl::UnavailableError("leaving"));
  EXPECT_TRUE(absl::IsUnavailable(c.ended));
  EXPECT_TRUE(absl::IsUnavailable(newer.ended));
  EXPECT_THAT(uploads.Enter("d", &a), StatusIs(absl::StatusCode::kUnavailable));
  for (FakeStream* stream : {&c, &newer}) uploads.Leave(stream == &c ? "c" : "a", stream);
}

TEST(OpenUploads, TheOldestStreamWithoutAHeaderGivesWay) {
  OpenUploads uploads(2);
  FakeStream a;
  FakeStream b;
  FakeStream c;
  FakeStream d;
  EXPECT_THAT(uploads.Greet(&a), IsOk());
  EXPECT_THAT(uploads.Greet(&b), IsOk());
  EXPECT_THAT(uploads.Enter("a", &a), IsOk());  // it has sent its header
  EXPECT_THAT(uploads.Greet(&c), IsOk());
  EXPECT_TRUE(absl::IsUnknown(b.ended));
  EXPECT_THAT(uploads.Greet(&d), IsOk());
  EXPECT_THAT(b.ended, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limits.uploads")));
  for (const FakeStream* open : {&a, &c, &d}) EXPECT_TRUE(absl::IsUnknown(open->ended));
  uploads.Leave("", &b);
  uploads.Leave("", &c);
  uploads.EndAll(absl::UnavailableError("leaving"));
  EXPECT_TRUE(absl::IsUnavailable(d.ended));
  EXPECT_TRUE(absl::IsUnknown(c.ended));
  EXPECT_THAT(uploads.Greet(&c), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(StatusBoard, WatchersHearOfEachChangeUntilTheyAreGone) {
  StatusBoard board;
  std::vector<uint32_t> rounds;
  bool closed = false;
  const uint64_t watch = board.Watch([&](const auto& snapshot) {
    if (snapshot == nullptr) closed = true;
    if (snapshot != nullptr) rounds.push_back(snapshot->status.round());
  });
  StatusSnapshot snapshot;
  snapshot.status.set_round(1);
  board.Publish(snapshot);
  EXPECT_THAT(rounds, ElementsAre(0, 1));
  board.Close();
  EXPECT_TRUE(closed);
  board.Unwatch(watch);
  board.Publish(snapshot);
  EXPECT_EQ(rounds.size(), 2u);
  closed = false;
  board.Watch([&](const auto& late) { closed = late == nullptr; });
  EXPECT_TRUE(closed);
}

TEST(TrafficMeter, CountsByRoleAndDirectionAndSurvivesTheJournal) {
  Metrics metrics;
  TrafficMeter meter(&metrics);
  meter.AddPayload(Role::kTrainer, Direction::kUp, 100);
  const TrafficTotals before = meter.Totals();
  meter.AddPayload(Role::kTrainer, Direction::kUp, 11);
  meter.AddMessage(Role::kEvaluator, Direction::kDown, 7);
  meter.AddFp32Payload(Role::kTrainer, Direction::kUp, 400);
  const TrafficTotals since = meter.Totals().Since(before);
  EXPECT_EQ(since.At(Role::kTrainer, Direction::kUp).payload, 11u);
  ASSERT_OK_AND_ASSIGN(const TrafficTotals parsed, ParseTraffic(EncodeTraffic(meter.Totals())));
  EXPECT_EQ(parsed.At(Role::kTrainer, Direction::kUp).payload, 111u);
  EXPECT_EQ(parsed.At(Role::kTrainer, Direction::kUp).fp32_payload, 400u);
  EXPECT_EQ(parsed.At(Role::kEvaluator, Direction::kDown).message, 7u);
  EXPECT_THAT(ParseTraffic("\xff\xff"), StatusIs(absl::StatusCode::kDataLoss));
  TrafficMeter restarted(&metrics);
  restarted.Restore(parsed);
  EXPECT_EQ(restarted.Totals().At(Role::kTrainer, Direction::kUp).payload, 111u);
}

TEST(Alarm, RingsAtTheArmedTimeAndNotAfterStop) {
  Mutex mutex;
  CondVar rang;
  int rings = 0;
  Alarm alarm(Clock::System(), [&] {
    MutexLock lock(mutex);
    ++rings;
    rang.NotifyAll();
  });
  alarm.Arm(absl::InfiniteDuration());
  alarm.Arm(Clock::System()->Now() + absl::Milliseconds(1));
  {
    MutexLock lock(mutex);
    while (rings == 0) ASSERT_TRUE(rang.WaitFor(mutex, std::chrono::seconds(30)));
  }
  alarm.Arm(Clock::System()->Now() + absl::Hours(1));
  alarm.Stop();
  EXPECT_EQ(rings, 1);
}

TEST(Chunks, AClientsWishIsKeptWithinBounds) {
  EXPECT_EQ(ChunkSize(0), 262'144u);
  EXPECT_EQ(ChunkSize(1), 4'096u);
  EXPECT_EQ(ChunkSize(50'000), 50'000u);
  EXPECT_EQ(ChunkSize(1u << 30), 262'144u);
}

TEST(ModelDifference, NamesTheFirstTensorThatDiffers) {
  const ModelSpec one = *ModelSpec::Create({Weights("a", {2}), Weights("b", {3})});
  const ModelSpec renamed = *ModelSpec::Create({Weights("a", {2}), Weights("c", {3})});
  const ModelSpec longer = *ModelSpec::Create({Weights("a", {2}), Weights("b", {3}), Weights("c", {})});
  EXPECT_EQ(FirstDifference(one, one), "");
  EXPECT_THAT(FirstDifference(one, renamed), AllOf(HasSubstr("tensor 1"), HasSubstr("'b "), HasSubstr("'c ")));
  EXPECT_THAT(FirstDifference(one, longer), AllOf(HasSubstr("tensor 2"), HasSubstr("nothing here")));
}

TEST(UpdateStates, EveryStateHasItsReceipt) {
  AssignmentRecord record;
  record.reason = "deadline: over";
  record.state = AssignmentState::kReceived;
  EXPECT_EQ(ReceiptOf(record, LatePolicy::kRefuse)->state(), v1::UPDATE_STATE_RECEIVED);
  record.state = AssignmentState::kFolded;
  EXPECT_EQ(ReceiptOf(record, LatePolicy::kRefuse)->state(), v1::UPDATE_STATE_FOLDED);
  record.state = AssignmentState::kFailed;
  EXPECT_EQ(ReceiptOf(record, LatePolicy::kRefuse)->state(), v1::UPDATE_STATE_FAILED);
  for (const AssignmentState state : {AssignmentState::kDropped, AssignmentState::kDiscarded}) {
    record.state = state;
    EXPECT_EQ(ReceiptOf(record, LatePolicy::kDiscard)->state(), v1::UPDATE_STATE_DISCARDED);
    EXPECT_THAT(ReceiptOf(record, LatePolicy::kRefuse), StatusIs(absl::StatusCode::kAborted, HasSubstr("deadline")));
  }
}

v1::JoinRequest GoodJoin() {
  v1::JoinRequest request;
  request.set_client_id("client-1");
  request.set_role(v1::CLIENT_ROLE_TRAINER);
  request.add_wire_versions(kWireVersion);
  request.add_codecs(v1::CODEC_KIND_FP32);
  request.set_examples(10);
  return request;
}

struct JoinCase {
  const char* name;
  std::function<void(v1::JoinRequest*)> change;
  absl::StatusCode code;
  const char* message;
};

TEST(JoinCheck, EveryFaultIsNamedWithItsLimit) {
  const JoinRules rules = {Fp32Plan(), 100, nullptr};
  EXPECT_THAT(CheckJoin(GoodJoin(), rules).status, IsOk());
  const std::vector<JoinCase> cases = {
      {"empty id", [](auto* r) { r->clear_client_id(); }, absl::StatusCode::kInvalidArgument, "client_id"},
      {"id with a slash", [](auto* r) { r->set_client_id("../x"); }, absl::StatusCode::kInvalidArgument, "../x"},
      {"long id", [](auto* r) { r->set_client_id(std::string(65, 'a')); }, absl::StatusCode::kInvalidArgument,
       "{1,64}"},
      {"no role", [](auto* r) { r->clear_role(); }, absl::StatusCode::kInvalidArgument, "role"},
      {"other version", [](auto* r) { r->set_wire_versions(0, 9); }, absl::StatusCode::kUnimplemented, "[9]"},
      {"no codec", [](auto* r) { r->clear_codecs(); }, absl::StatusCode::kUnimplemented, "CODEC_KIND_FP32"},
      {"no examples", [](auto* r) { r->clear_examples(); }, absl::StatusCode::kInvalidArgument, "1..100"},
      {"many examples", [](auto* r) { r->set_examples(101); }, absl::StatusCode::kInvalidArgument, "101"},
      {"bad model", [](auto* r) { r->mutable_model()->add_tensors(); }, absl::StatusCode::kInvalidArgument, "tensor"},
  };
  for (const JoinCase& any : cases) {
    v1::JoinRequest request = GoodJoin();
    any.change(&request);
    const JoinVerdict verdict = CheckJoin(request, rules);
    EXPECT_THAT(verdict.status, StatusIs(any.code, HasSubstr(any.message))) << any.name;
    EXPECT_FALSE(verdict.refusal.empty()) << any.name;
  }
}

TEST(JoinCheck, BuffersNeedTheirCodecsToo) {
  const ModelSpec model = *ModelSpec::Create({Weights("w", {2}), {"n", {}, DataType::kInt64, TensorRole::kBuffer}});
  const JoinRules rules = {Fp32Plan(), 100, std::make_shared<const ModelSpec>(model)};
  EXPECT_THAT(CheckJoin(GoodJoin(), rules).status,
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("CODEC_KIND_INT64")));
}

TEST(JoinCheck, TextsOfClientsAreCleanedForTheLog) {
  EXPECT_EQ(CleanText("a \"b\"\n\x01"), "a ?b???");
  EXPECT_EQ(CleanText(std::string(300, 'x')), std::string(200, 'x') + "...");
}

}  // namespace
}  // namespace thinwire
