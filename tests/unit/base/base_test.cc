#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/base/worker_pool.h"

namespace thinwire {
namespace {

TEST(Crc32c, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending.push_back(static_cast<char>(i));
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
}

TEST(Crc32c, AcceleratedAndPortableFormsAgreeAtEveryLengthAndSplit) {
  std::string data;
  for (int i = 0; i < 3000; ++i) data.push_back(static_cast<char>(i * 31 + (i >> 3)));
  for (size_t size = 0; size <= data.size(); size += size < 100 ? 1 : 97) {
    const absl::string_view piece = absl::string_view(data).substr(0, size);
    const uint32_t whole = Crc32cPortable(piece);
    EXPECT_EQ(Crc32c(piece), whole) << size;
    EXPECT_EQ(Crc32c(piece.substr(size / 3), Crc32c(piece.substr(0, size / 3))), whole) << size;
  }
}

TEST(Digest, MatchesTheVectorOfFips180) {
  EXPECT_EQ(Sha256("abc").Hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, ReadsBackItsHexAndRefusesAnythingElse) {
  const Digest digest = Sha256("x");
  EXPECT_EQ(*Digest::FromHex(digest.Hex()), digest);
  EXPECT_FALSE(Digest::FromHex("12").ok());
  EXPECT_FALSE(Digest::FromHex(std::string(64, 'g')).ok());
  EXPECT_FALSE(Digest::FromBytes(std::string(31, 'a')).ok());
}

TEST(Philox, MatchesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, ~uint64_t{0}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, DrawsBelowItsBoundAndReachesEveryValue) {
  RandomStream random(DeriveKey({1, 2}));
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Below(7));
  EXPECT_EQ(seen, (std::set<uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(RandomStream, KeysDifferWhenAnyWordOrTheirNumberDiffers) {
  const std::set<uint64_t> keys = {DeriveKey({}),
                                   DeriveKey({0}),
                                   DeriveKey({0, 0}),
                                   DeriveKey({1, 0}),
                                   DeriveKey({0, 1}),
                                   DeriveKey({KeyWord("a")}),
                                   DeriveKey({KeyWord("b")})};
  EXPECT_EQ(keys.size(), 7u);
}

TEST(WorkerPool, RunsEveryAdmittedTaskBeforeItShutsDown) {
  std::atomic<int> done = 0;
  WorkerPool pool(2, 1000);
  int admitted = 0;
  for (int i = 0; i < 500; ++i) admitted += pool.TryRun([&done] { ++done; });
  pool.Shutdown();
  EXPECT_EQ(done, admitted);
  EXPECT_FALSE(pool.TryRun([] {}));
}

TEST(WorkerPool, RefusesTasksBeyondItsQueue) {
  Mutex gate;
  gate.Lock();
  WorkerPool pool(1, 2);
  pool.Run([&gate] { MutexLock lock(gate); });
  while (pool.QueueDepth() > 0) std::this_thread::yield();
  EXPECT_TRUE(pool.TryRun([] {}));
  EXPECT_TRUE(pool.TryRun([] {}));
  EXPECT_FALSE(pool.TryRun([] {}));
  gate.Unlock();
}

TEST(File, WritesAtomicallyAndReadsBack) {
  const std::string path = JoinPath(testing::TempDir(), "thinwire_file_test");
  ASSERT_TRUE(WriteFileAtomically(path, "first").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "second").ok());
  EXPECT_EQ(*ReadWholeFile(path, 100), "second");
  EXPECT_EQ(ReadWholeFile(path, 3).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(RemoveFile(path).ok());
  EXPECT_TRUE(RemoveFile(path).ok());
  EXPECT_EQ(ReadWholeFile(path, 100).status().code(), absl::StatusCode::kNotFound);
}

// 200 pieces of different lengths, among them empty ones.
std::vector<std::string> Pieces() {
  std::vector<std::string> pieces;
  for (size_t i = 0; i < 200; ++i) pieces.emplace_back(i * 7 % 50, static_cast<char>('a' + i % 26));
  return pieces;
}

TEST(File, WritesPiecesOneAfterTheOther) {
  const std::string path = JoinPath(testing::TempDir(), "thinwire_pieces");
  const std::vector<std::string> pieces = Pieces();
  File file = *File::Create(path);
  ASSERT_TRUE(file.WriteAt(0, "start").ok());
  ASSERT_TRUE(file.WriteAt(5, std::vector<absl::string_view>(pieces.begin(), pieces.end())).ok());
  EXPECT_EQ(*ReadWholeFile(path, 1 << 20), "start" + absl::StrJoin(pieces, ""));
}

TEST(File, AShortWriteOfPiecesGoesOnWhereItStopped) {
  const std::string path = JoinPath(testing::TempDir(), "thinwire_short_write");
  const std::vector<std::string> pieces = Pieces();
  constexpr rlim_t kLimit = 1234;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  File file = *File::Create(path);
  const rlimit limited = {kLimit, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  const absl::Status status = file.WriteAt(0, std::vector<absl::string_view>(pieces.begin(), pieces.end()));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(*ReadWholeFile(path, 1 << 20), absl::StrJoin(pieces, "").substr(0, kLimit));
}

TEST(File, ReadingPastTheEndSaysWhereTheFileEnds) {
  const std::string path = JoinPath(testing::TempDir(), "thinwire_short_file");
  ASSERT_TRUE(WriteFileAtomically(path, "1234").ok());
  const File file = *File::OpenForRead(path);
  char buffer[8];
  const absl::Status status = file.ReadAt(2, 4, buffer);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("ends at byte 4"));
}

TEST(Bytes, AreLittleEndianWhateverTheMachine) {
  std::string out;
  AppendLittle<uint32_t>(0x01020304, &out);
  EXPECT_EQ(out, std::string("\x04\x03\x02\x01", 4));
  EXPECT_EQ(LoadLittle<uint32_t>(out.data()), 0x01020304u);
}

}  // namespace
}  // namespace thinwire
