// Training in a subspace, with real processes: clients that miss rounds and epochs, join late, lose their disk, and
// processes that are killed in the middle of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "common/subspace/coordinates.h"
#include "tests/integration/federation_fixture.h"
#include "tests/testing/process_memory.h"

namespace thinwire {
namespace {

constexpr uint64_t kParameters = 100'000;

SubspacePlan Plan(uint32_t vectors) {
  SubspacePlan plan;
  plan.dimension = 2000;
  plan.vectors = vectors;
  plan.epoch_rounds = 2;
  return plan;
}

std::string PlanText(uint32_t vectors, const std::string& value = "fp32 {}") {
  return absl::StrCat("plan { explicit { downlink { value { ", value,
                      " } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { ", value,
                      " } } subspace { dimension: 2000 epoch_rounds: 2 vectors: ", vectors, " } } }\n");
}

ModelSpec EchoModel() {
  std::vector<TensorSpec> tensors(10);
  for (size_t i = 0; i < 10; ++i) {
    tensors[i].name = absl::StrCat("echo.", i);
    tensors[i].shape = {static_cast<int64_t>(kParameters / 10)};
  }
  return *ModelSpec::Create(std::move(tensors));
}

uint64_t SizeOf(const ModelSpec& spec) { return *MaxPayloadSize(spec, Representation::kModel, CodecSpec::Fp32()); }

struct Outcome {
  std::string digest;
  uint64_t down = 0, up = 0;  // payload bytes of trainers
};

// What happens in a run.
struct Events {
  enum class Disk { kIntact, kLost, kDamaged };
  Disk disk = Disk::kIntact;   // c0's, while it is away
  bool drawn = true;           // initial weights, from a seed
  std::string passage = "";    // of a fail-point that the server dies at, in rounds 4 to 6
  bool kill_a_client = false;  // c1, in mid-upload of round 4
};

class SubspaceFederationTest : public FederationTest {
 protected:
  // Three rounds of two clients, who then leave. `disturb` does something while they are at it.
  static void Rounds(
      Cluster* cluster, const std::string& a, const std::string& b, uint64_t version,
      const std::function<void()>& disturb = [] {}) {
    for (const std::string& id : {a, b}) {
      ASSERT_THAT(
          cluster->StartClient(id, {"--task=echo", absl::StrCat("--echo-parameters=", kParameters), "--max-rounds=3"}),
          IsOk());
    }
    disturb();
    ASSERT_THAT(cluster->AwaitStatus([version](const v1::Status& s) { return s.version() >= version; }), IsOk());
    ASSERT_THAT(cluster->AwaitClients(absl::Seconds(30)), IsOk());
  }
  // The server, which was started with a fail-point, dies and comes back.
  static void AwaitDeath(Cluster* cluster, const std::string& config) {
    const std::optional<ProcessExit> exit = cluster->server().Wait(absl::Seconds(60));
    ASSERT_TRUE(exit.has_value()) << "the fail-point was not reached\n" << cluster->Logs();
    EXPECT_TRUE(exit->signaled) << exit->Describe();
    ASSERT_THAT(cluster->StartServer(config), IsOk());
  }
  // SIGKILL for a client before its first update is complete, `carried` bytes having passed up before it joined. It
  // comes back to its state folder.
  static void KillInMidUpload(Cluster* cluster, size_t client, uint64_t carried) {
    // More than two joins, less than one of these and an update of 8 KB.
    ASSERT_TRUE(cluster->proxy().WaitUntilCarried(WireDirection::kUp, carried + 8'000, absl::Seconds(60)));
    cluster->KillClient(client);
    cluster->proxy().CutNow();  // what a dead process has handed to the kernel would still be sent
    cluster->proxy().SetRate(WireDirection::kUp, 0);
    ASSERT_THAT(cluster->RestartClient(client), IsOk());
  }

  // Writes the weights that a run with weights of its own begins with.
  static std::string WriteInitial(const TemporaryDirectory& folder) {
    ModelState initial(EchoModel());
    for (std::vector<float>& values : initial.floats) std::fill(values.begin(), values.end(), 0.25f);
    ModelStateSource source(initial);
    const std::string path = folder.Path("initial.safetensors");
    EXPECT_THAT(WriteSafetensors(path, initial.spec, source), IsOk());
    return path;
  }
  // c0's basis is lost, or has one bit wrong.
  static void Disturb(const TemporaryDirectory& folder, Events::Disk disk) {
    int found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      const std::string path = entry.path().string();
      if (path.find("c0") == std::string::npos || entry.path().extension() != ".basis") continue;
      ++found;
      if (disk == Events::Disk::kLost) {
        EXPECT_THAT(RemoveFile(path), IsOk());
      } else {
        std::string bytes = *ReadWholeFile(path, 1 << 30);
        char& high = bytes[bytes.size() / 2 + 2];  // of a value's fraction: a low one is lost in the fold's rounding
        high = static_cast<char>(high ^ 0x40);
        EXPECT_THAT(WriteFileAtomically(path, bytes), IsOk());
      }
    }
    EXPECT_EQ(found, 1);
  }

  // c0 misses rounds 4 to 6 and two epochs' ends; c2 joins in round 4.
  static Outcome Run(const std::string& plan, const Events& events = {}) {
    TemporaryDirectory folder;
    Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
    Sections sections;
    if (!events.drawn) sections.model = absl::StrCat("safetensors: '", WriteInitial(folder), "'");
    if (events.kill_a_client) sections.client = "heartbeat_interval { seconds: 1 } lease { seconds: 60 }";
    const std::string config = Config(9, 2, plan, sections);
    std::vector<std::string> flags;
    if (!events.passage.empty()) flags.push_back(absl::StrCat("--fail-point=", events.passage));
    EXPECT_THAT(cluster.StartServer(config, flags), IsOk());
    Rounds(&cluster, "c0", "c1", 3);
    const uint64_t carried = cluster.proxy().stats().total.up;
    if (events.kill_a_client) cluster.proxy().SetRate(WireDirection::kUp, 3'000);
    Rounds(&cluster, "c1", "c2", 6, [&] {
      if (events.kill_a_client) KillInMidUpload(&cluster, 2, carried);
      if (!events.passage.empty()) AwaitDeath(&cluster, config);
    });
    if (events.disk != Events::Disk::kIntact) Disturb(folder, events.disk);
    Rounds(&cluster, "c0", "c2", 9);
    const absl::StatusOr<v1::Status> status = cluster.AwaitEnd();
    EXPECT_THAT(status, IsOk());
    if (!status.ok()) return {};
    EXPECT_EQ(status->state(), v1::RUN_STATE_COMPLETED) << status->reason() << cluster.Logs();
    const absl::StatusOr<std::string> bytes = ReadWholeFile(status->model_path(), 1 << 30);
    EXPECT_THAT(bytes, IsOk());
    // Initial weights that are drawn come from a client, whole.
    return {bytes.ok() ? Sha256(*bytes).Hex() : "", status->trainer_traffic().down().payload_bytes(),
            status->trainer_traffic().up().payload_bytes() - (events.drawn ? SizeOf(EchoModel()) : 0)};
  }
};

constexpr Events::Disk kLost = Events::Disk::kLost, kDamaged = Events::Disk::kDamaged;

TEST_F(SubspaceFederationTest, WhoMissesRoundsAndEpochsIsSentTheCoordinatesThatItLacks) {
  const ModelSpec model = EchoModel();
  for (const uint32_t vectors : {1u, 3u}) {
    const SubspacePlan plan = Plan(vectors);
    const auto behind = [&](uint64_t missed) { return SizeOf(CatchUpSpec(model, plan, CodecSpec::Fp32(), missed)); };
    const Outcome outcome = Run(PlanText(vectors));
    // Versions 0 1 | 2 3 | 4 5 | 6 7 | 8 are started from. c0: 0 1 2, 6 7 8; c1: 0 1 2, 3 4 5; c2: 3 4 5, 6 7 8.
    const uint64_t c0 = behind(0) + behind(0) + behind(1) + behind(2) + behind(0) + behind(1);
    const uint64_t c1 = behind(0) + behind(0) + behind(1) + behind(0) + behind(1) + behind(0);
    const uint64_t c2 = behind(1) + behind(1) + behind(0) + behind(1) + behind(0) + behind(1);
    EXPECT_EQ(outcome.down, c0 + c1 + c2) << "theta_0 is drawn, not sent";
    EXPECT_EQ(outcome.up, 18 * SizeOf(CoordinatesUpdateSpec(model, plan)));
    EXPECT_LE(outcome.up, 18 * (4 * plan.dimension + 200));

    const Outcome lost = Run(PlanText(vectors), {kLost});
    EXPECT_EQ(lost.digest, outcome.digest);
    EXPECT_EQ(lost.down, outcome.down - behind(2) + behind(3));
    // What it cannot fold into it finds out when it has it.
    const Outcome damaged = Run(PlanText(vectors), {kDamaged});
    EXPECT_EQ(damaged.digest, outcome.digest);
    EXPECT_EQ(damaged.down, outcome.down + behind(3));
  }
}

TEST_F(SubspaceFederationTest, ServersAndClientsThatAreKilledComeToTheSameModel) {
  const std::string plan = PlanText(3);
  const std::string digest = Run(plan).digest;
  // In round 4, which ends an epoch: the first version passes too, and its upload.
  for (const char* passage : {"after-receive-commit:9", "after-basis-rename:3", "before-publish-commit:5"}) {
    Events events;
    events.passage = passage;
    EXPECT_EQ(Run(plan, events).digest, digest) << passage;
  }
  Events events;
  events.kill_a_client = true;
  EXPECT_EQ(Run(plan, events).digest, digest);
  events.disk = kDamaged;
  events.passage = "after-basis-write:3";
  EXPECT_EQ(Run(plan, events).digest, digest) << "all of it at once";
}

TEST_F(SubspaceFederationTest, InitialWeightsFromAFileAreSentOnceToEachClient) {
  const ModelSpec model = EchoModel();
  const auto behind = [&](uint64_t missed) { return SizeOf(CatchUpSpec(model, Plan(1), CodecSpec::Fp32(), missed)); };
  const uint64_t whole = SizeOf(BasisSpec(model));
  const Outcome outcome = Run(PlanText(1), {Events::Disk::kIntact, /*drawn=*/false});
  // As above, with theta_0 for c0 and c1, and theta_1 for c2, which lacks no coordinates then.
  const uint64_t c0 = whole + behind(0) + behind(0) + behind(1) + behind(2) + behind(0) + behind(1);
  const uint64_t c1 = whole + behind(0) + behind(0) + behind(1) + behind(0) + behind(1) + behind(0);
  const uint64_t c2 = whole + behind(0) + behind(1) + behind(0) + behind(1) + behind(0) + behind(1);
  EXPECT_EQ(outcome.down, c0 + c1 + c2);
  const Outcome lost = Run(PlanText(1), {kLost, /*drawn=*/false});
  EXPECT_EQ(lost.digest, outcome.digest);
  EXPECT_EQ(lost.down, outcome.down - behind(2) + behind(0) + whole);
}

TEST_F(SubspaceFederationTest, CoordinatesOfFewBitsFoldToTheSameModelForThoseWhoMissedThem) {
  for (const char* value : {"float { exponent_bits: 3 mantissa_bits: 2 scale: SCALE_RULE_POWER_OF_TWO }",
                            "float_blocks { exponent_bits: 2 mantissa_bits: 1 scale: SCALE_RULE_ABSMAX }"}) {
    const Outcome outcome = Run(PlanText(2, value));
    EXPECT_EQ(Run(PlanText(2, value), {kLost}).digest, outcome.digest) << value;
    EXPECT_LT(outcome.up, 18u * 2000 * 7 / 8 + 18 * 300);
  }
}

// Sums of K d numbers, folds and exports by blocks: no vector of the model's size, however many clients there are.
TEST_F(SubspaceFederationTest, TheServersMemoryIsNotOfTheModelsSize) {
  constexpr uint64_t kLarge = 10'000'000, kBytes = 4 * kLarge;
  const std::string plan =
      "plan { explicit { downlink { value { fp32 {} } } uplink { representation: UPLINK_REPRESENTATION_DELTA value { "
      "fp32 {} } } subspace { dimension: 2000 vectors: 2 epoch_rounds: 2 block_size: 65536 } } }\n";
  ASSERT_THAT(cluster_.StartServer(Config(4, 4, plan)), IsOk());
  const uint64_t before = PeakMemory(cluster_.server().pid());
  ASSERT_GT(before, 0u);
  StartEchoClients(4, kLarge);
  ASSERT_OK_AND_ASSIGN(const v1::Status status, cluster_.AwaitEnd(absl::Seconds(240)));
  ASSERT_EQ(status.state(), v1::RUN_STATE_COMPLETED) << status.reason();
  EXPECT_EQ(std::filesystem::file_size(cluster_.state() + "/bases/b00000002.basis"), kBytes);
  EXPECT_LT(PeakMemory(cluster_.server().pid()) - before, kBytes / 2 + kSanitizerMemory);
}

}  // namespace
}  // namespace thinwire
