// What a round costs the server in memory does not grow with the clients that take part in it.
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "common/codec/payload.h"
#include "common/wire/convert.h"
#include "tests/integration/federation_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/testing/process_memory.h"

namespace thinwire {
namespace {

constexpr uint64_t kValues = 1'000'000;
constexpr uint64_t kUpdateBytes = 4 * kValues;

class MemoryTest : public FederationTest {
 protected:
  MemoryTest() { EXPECT_THAT(WriteSafetensors(model_, initial_.spec, source_), IsOk()); }

  // One client's part in a round: it takes the model and sends it back as its update. All do so at the same time.
  void TakePart(const std::string& server, int number) {
    RawClient client(server, absl::StrCat("c", number));
    ASSERT_THAT(client.Join(nullptr), IsOk());
    ASSERT_OK_AND_ASSIGN(const v1::Assignment work, client.AwaitWork());
    ASSERT_OK_AND_ASSIGN(const PayloadRef base, FromProto(work.model()));
    ASSERT_THAT(client.Download(base), IsOk());
    std::call_once(encoded_, [&] { Encode(base); });
    ASSERT_THAT(client.Upload(client.HeaderFor(work, update_.ref), update_.bytes), IsOk());
  }

  // The update of all clients of all runs: they have the same base.
  void Encode(const PayloadRef& base) {
    ModelStateSource source(initial_);
    const std::string path = folder_.Path("update");
    const EncodeOptions encoding{Representation::kDelta, CodecSpec::Fp32(), base.id};
    ASSERT_OK_AND_ASSIGN(update_.ref, EncodePayload(initial_.spec, encoding, source, path));
    ASSERT_OK_AND_ASSIGN(update_.bytes, ReadWholeFile(path, 2 * kUpdateBytes));
  }

  // The server's peak in a run of one round of so many clients.
  uint64_t PeakWith(int clients) {
    TemporaryDirectory folder;
    Cluster cluster(folder.path(), THINWIRE_BINARY_DIR "/bin");
    Sections sections;
    sections.model = absl::StrCat("safetensors: \"", model_, "\"");
    sections.client = "";
    EXPECT_THAT(cluster.StartServer(Config(1, clients, kFp32, sections)), IsOk());
    std::vector<std::thread> threads;
    for (int i = 0; i < clients; ++i) threads.emplace_back([&, i] { TakePart(cluster.federation_address(), i); });
    for (std::thread& thread : threads) thread.join();
    const absl::StatusOr<v1::Status> end = cluster.AwaitEnd();
    EXPECT_THAT(end, IsOk());
    EXPECT_EQ(end.value_or(v1::Status()).version(), 1u) << "without the update of each there is no version";
    return PeakMemory(cluster.server().pid());
  }

  std::once_flag encoded_;
  BuiltPayload update_;
  const ModelState initial_ = MakeAwkwardModel(kValues);
  ModelStateSource source_{initial_};
  const std::string model_ = folder_.Path("initial.safetensors");
};

TEST_F(MemoryTest, FortyClientsTakeHardlyMoreOfTheServerThanTwo) {
  const uint64_t few = PeakWith(2);
  const uint64_t many = PeakWith(40);
  RecordProperty("kilobytes_per_client", static_cast<int>((many - std::min(many, few)) / 38 / 1000));
  // Chunks under way may take something; a server that held their updates would take 152 MB more.
  EXPECT_LT(many, few + 38 * kUpdateBytes / 4 + kSanitizerMemory) << few << " bytes with two clients";
}

}  // namespace
}  // namespace thinwire
