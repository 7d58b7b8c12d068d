#include <gmock/gmock.h>
#include <httplib.h>

#include "server/http/http_server.h"
#include "server/http/metrics.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(HttpServer, AnswersProbesAndScrapes) {
  absl::Status alive;
  absl::Status ready;
  ASSERT_OK_AND_ASSIGN(
      const auto server,
      HttpServer::Start("127.0.0.1", 0, {[] { return "metric 1\n"; }, [&] { return alive; }, [&] { return ready; }}));
  httplib::Client client("127.0.0.1", server->port());
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  EXPECT_EQ(client.Get("/metrics")->body, "metric 1\n");
  EXPECT_EQ(client.Get("/elsewhere")->status, 404);
  ready = absl::FailedPreconditionError("the run has failed: why");
  EXPECT_EQ(client.Get("/readyz")->status, 503);
  EXPECT_EQ(client.Get("/readyz")->body, "the run has failed: why\n");
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  alive = absl::UnavailableError("it hangs");
  EXPECT_EQ(client.Get("/healthz")->status, 503);
  EXPECT_EQ(client.Get("/healthz")->body, "it hangs\n");
}

HttpHandlers Fine() {
  return {[] { return ""; }, [] { return absl::OkStatus(); }, [] { return absl::OkStatus(); }};
}

TEST(HttpServer, AnAddressThatCannotBeBoundIsNamed) {
  const HttpHandlers handlers = Fine();
  EXPECT_THAT(HttpServer::Start("no.such.host.invalid", 0, handlers),
              StatusIs(absl::StatusCode::kUnavailable, AllOf(HasSubstr("no.such.host"), HasSubstr("listen.http"))));
}

TEST(HttpServer, CanBeStoppedAtOnce) {
  const HttpHandlers handlers = Fine();
  for (int i = 0; i < 20; ++i) ASSERT_THAT(HttpServer::Start("127.0.0.1", 0, handlers), IsOk());
}

TEST(Metrics, ThePageHasEveryFamilyWithItsLabels) {
  Metrics metrics;
  metrics.AddPayloadBytes(Role::kTrainer, Direction::kUp, 10);
  metrics.AddPayloadBytes(Role::kTrainer, Direction::kUp, 5);
  metrics.AddMessageBytes(Role::kEvaluator, Direction::kDown, 7);
  metrics.CountRound(RoundState::kPublished);
  metrics.CountUpdate(AssignmentState::kDropped);
  metrics.CountRefusal("wrong model", 3);
  metrics.SetRunState(RunState::kInitializing);
  metrics.SetRunState(RunState::kRunning);
  metrics.SetClients(Role::kTrainer, 4);
  metrics.SetWaiting({3, 2, 8, 5, absl::Seconds(41)});
  metrics.SetQueueDepth("io", 6);
  metrics.ObserveFold(absl::Milliseconds(2));
  metrics.ObservePublish(absl::Seconds(2));
  EXPECT_THAT(metrics.Text(), AllOf(HasSubstr("thinwire_payload_bytes_total{direction=\"up\",role=\"trainer\"} 15"),
                                    HasSubstr("thinwire_message_bytes_total{direction=\"down\",role=\"evaluator\"} 7"),
                                    HasSubstr("thinwire_rounds_total{result=\"published\"} 1"),
                                    HasSubstr("thinwire_updates_total{result=\"dropped\"} 1"),
                                    HasSubstr("thinwire_refusals_total{reason=\"wrong model\"} 3"),
                                    HasSubstr("thinwire_run_state{state=\"running\"} 1"),
                                    HasSubstr("thinwire_run_state{state=\"initializing\"} 0"),
                                    HasSubstr("thinwire_clients{role=\"trainer\"} 4")));
  EXPECT_THAT(
      metrics.Text(),
      AllOf(HasSubstr("thinwire_round 3"), HasSubstr("thinwire_model_version 2"),
            HasSubstr("thinwire_updates_wanted 8"), HasSubstr("thinwire_updates_received 5"),
            HasSubstr("thinwire_round_time_left_seconds 41"), HasSubstr("thinwire_queue_depth{queue=\"io\"} 6"),
            HasSubstr("thinwire_fold_seconds_bucket{le=\"0.003\"} 1"), HasSubstr("thinwire_publish_seconds_sum 2")));
}

TEST(Metrics, ThePageHasWhatTheLastRoundsUpdatesTookAndLost) {
  Metrics metrics;
  metrics.AddUploads({8000, 16000, absl::Seconds(3), absl::Seconds(1), 0.25, 0.125, 7});
  metrics.SetAccuracyPerMegabit(0.5);
  EXPECT_THAT(
      metrics.Text(),
      AllOf(HasSubstr("thinwire_update_bytes_total 1000"), HasSubstr("thinwire_update_granted_bytes_total 2000"),
            HasSubstr("thinwire_update_encode_seconds_total 3"), HasSubstr("thinwire_update_decode_seconds_total 1"),
            HasSubstr("thinwire_update_distortion 0.25"), HasSubstr("thinwire_update_weighted_distortion 0.125")));
  EXPECT_THAT(metrics.Text(),
              AllOf(HasSubstr("thinwire_update_unsent_norm 7"), HasSubstr("thinwire_accuracy_per_megabit 0.5")));
  metrics.AddUploads({8000, 16000, absl::Seconds(3), absl::Seconds(1), 0.5, std::nullopt, std::nullopt});
  EXPECT_THAT(metrics.Text(), AllOf(HasSubstr("thinwire_update_distortion 0.5"),
                                    Not(HasSubstr("thinwire_update_weighted_distortion 0.125")),
                                    Not(HasSubstr("thinwire_update_unsent_norm 7"))));
}

}  // namespace
}  // namespace thinwire
