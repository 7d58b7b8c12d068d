#include "deploy/local/tcp_proxy.h"

#include <poll.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace thinwire {
namespace {

using testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);  // a bound for a broken proxy, never waited for
constexpr int kPatienceMs = 30'000;

bool WaitFor(const UniqueFd& socket, short events) {
  pollfd entry{socket.get(), events, 0};
  return poll(&entry, 1, kPatienceMs) == 1;
}

// Sends all of `bytes`; stops at a broken connection.
void SendAll(const UniqueFd& socket, const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size() && WaitFor(socket, POLLOUT)) {
    const ssize_t count = send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0) return;
    sent += static_cast<size_t>(count);
  }
}

struct Received {
  std::string bytes;
  bool reset = false;  // ended by a reset, not by an end of data
};

// Reads until `size` bytes are there or the stream ends.
Received Receive(const UniqueFd& socket, size_t size) {
  Received received;
  char buffer[65536];
  while (received.bytes.size() < size && WaitFor(socket, POLLIN)) {
    const ssize_t count = recv(socket.get(), buffer, std::min(sizeof(buffer), size - received.bytes.size()), 0);
    if (count <= 0) {
      received.reset = count < 0;
      return received;
    }
    received.bytes.append(buffer, static_cast<size_t>(count));
  }
  return received;
}

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

// A listener, a proxy before it, and connections made through the proxy.
class TcpProxyTest : public testing::Test {
 protected:
  struct Pair {
    UniqueFd client;
    UniqueFd server;
  };

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(listener_, ListenOnLoopback());
    ASSERT_OK_AND_ASSIGN(const uint16_t port, LocalPort(listener_));
    ASSERT_OK_AND_ASSIGN(proxy_, TcpProxy::Start(absl::StrCat("127.0.0.1:", port)));
  }

  UniqueFd Dial() { return *ConnectToLoopback(*LoopbackPort(proxy_->address())); }
  UniqueFd AcceptFrom(const UniqueFd& listener) {
    WaitFor(listener, POLLIN);
    return UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }
  Pair Connect() {
    UniqueFd client = Dial();
    return {std::move(client), AcceptFrom(listener_)};
  }

  UniqueFd listener_;
  std::unique_ptr<TcpProxy> proxy_;
};

TEST_F(TcpProxyTest, BytesArriveUnchangedAndAreCountedPerConnectionAndDirection) {
  Pair first = Connect();
  Pair second = Connect();
  SendAll(first.client, "hello");
  SendAll(second.client, "hi");
  EXPECT_EQ(Receive(first.server, 5).bytes, "hello");
  EXPECT_EQ(Receive(second.server, 2).bytes, "hi");
  SendAll(first.server, "good day");
  EXPECT_EQ(Receive(first.client, 8).bytes, "good day");
  ASSERT_TRUE(proxy_->WaitUntilCarried(WireDirection::kDown, 8, kPatience));
  const ProxyStats stats = proxy_->stats();
  EXPECT_EQ(stats.total.up, 7u);
  EXPECT_EQ(stats.total.down, 8u);
  ASSERT_EQ(stats.connections.size(), 2u);
  EXPECT_EQ(stats.connections[0].up, 5u);
  EXPECT_EQ(stats.connections[0].down, 8u);
  EXPECT_EQ(stats.connections[1].up, 2u);
  EXPECT_EQ(stats.connections[1].down, 0u);
}

TEST_F(TcpProxyTest, AReaderThatLagsStopsTheSenderAndLosesNothing) {
  const std::string bytes = Pattern(12 << 20);
  Pair pair = Connect();
  std::thread sender([&] { SendAll(pair.client, bytes); });
  ASSERT_TRUE(proxy_->WaitUntilCarried(WireDirection::kUp, 1, kPatience));
  const Received received = Receive(pair.server, bytes.size());
  sender.join();
  EXPECT_TRUE(received.bytes == bytes);
  EXPECT_EQ(proxy_->stats().total.up, bytes.size());
}

TEST_F(TcpProxyTest, TheEndOfDataPassesWhileTheOtherDirectionStaysOpen) {
  Pair pair = Connect();
  SendAll(pair.client, "request");
  shutdown(pair.client.get(), SHUT_WR);
  const Received request = Receive(pair.server, 100);
  EXPECT_EQ(request.bytes, "request");
  EXPECT_FALSE(request.reset);
  SendAll(pair.server, "answer");
  pair.server.Reset();
  EXPECT_EQ(Receive(pair.client, 100).bytes, "answer");
}

TEST_F(TcpProxyTest, ACutComesAfterExactlyTheBytesAskedForAndHitsAllConnections) {
  Pair first = Connect();
  Pair second = Connect();
  proxy_->CutAfter(WireDirection::kUp, 1000);
  SendAll(first.client, Pattern(5000));
  ASSERT_TRUE(proxy_->WaitUntilCut(1, kPatience));
  EXPECT_EQ(Receive(first.server, 5000).bytes, Pattern(5000).substr(0, 1000));
  EXPECT_TRUE(Receive(first.client, 1).reset);
  EXPECT_TRUE(Receive(second.client, 1).reset);
  EXPECT_TRUE(Receive(second.server, 1).reset);
  EXPECT_EQ(proxy_->stats().total.up, 1000u);
}

TEST_F(TcpProxyTest, ACutHappensOnceAndCountsOnlyItsDirection) {
  proxy_->CutAfter(WireDirection::kDown, 10);
  Pair pair = Connect();
  SendAll(pair.client, Pattern(100));
  EXPECT_EQ(Receive(pair.server, 100).bytes.size(), 100u);
  SendAll(pair.server, Pattern(10));
  ASSERT_TRUE(proxy_->WaitUntilCut(1, kPatience));
  Pair again = Connect();
  SendAll(again.server, Pattern(100));
  EXPECT_EQ(Receive(again.client, 100).bytes, Pattern(100));
  EXPECT_EQ(proxy_->stats().cuts, 1u);
}

TEST_F(TcpProxyTest, CutNowResetsWhatIsOpenAndLetsNewConnectionsPass) {
  Pair pair = Connect();
  proxy_->CutNow();
  EXPECT_TRUE(Receive(pair.client, 1).reset);
  Pair again = Connect();
  SendAll(again.client, "x");
  EXPECT_EQ(Receive(again.server, 1).bytes, "x");
}

TEST_F(TcpProxyTest, RefusedConnectionsAreResetAndCounted) {
  proxy_->RefuseNew(true);
  const UniqueFd refused = Dial();
  EXPECT_TRUE(Receive(refused, 1).reset);
  proxy_->RefuseNew(false);
  Pair pair = Connect();
  SendAll(pair.client, "x");
  EXPECT_EQ(Receive(pair.server, 1).bytes, "x");
  EXPECT_EQ(proxy_->stats().refused, 1u);
  EXPECT_EQ(proxy_->stats().accepted, 1u);
}

TEST_F(TcpProxyTest, AConnectionToAnAbsentServerIsResetAndOneToItsSuccessorPasses) {
  listener_.Reset();
  EXPECT_TRUE(Receive(Dial(), 1).reset);
  ASSERT_OK_AND_ASSIGN(const UniqueFd successor, ListenOnLoopback());
  ASSERT_OK_AND_ASSIGN(const uint16_t port, LocalPort(successor));
  ASSERT_THAT(proxy_->SetUpstream(absl::StrCat("127.0.0.1:", port)), IsOk());
  const UniqueFd client = Dial();
  const UniqueFd server = AcceptFrom(successor);
  SendAll(client, "x");
  EXPECT_EQ(Receive(server, 1).bytes, "x");
}

TEST_F(TcpProxyTest, ALimitedRateAndADelayLoseNothing) {
  proxy_->SetRate(WireDirection::kUp, 4 << 20);
  proxy_->SetDelay(WireDirection::kDown, absl::Milliseconds(5));
  const std::string bytes = Pattern(400'000);
  Pair pair = Connect();
  std::thread sender([&] { SendAll(pair.client, bytes); });
  EXPECT_TRUE(Receive(pair.server, bytes.size()).bytes == bytes);
  sender.join();
  std::thread answerer([&] { SendAll(pair.server, bytes); });
  EXPECT_TRUE(Receive(pair.client, bytes.size()).bytes == bytes);
  answerer.join();
}

TEST_F(TcpProxyTest, ItsEndResetsWhatIsOpen) {
  Pair pair = Connect();
  proxy_.reset();
  EXPECT_TRUE(Receive(pair.client, 1).reset);
  EXPECT_TRUE(Receive(pair.server, 1).reset);
}

TEST(LoopbackPortTest, OnlyLoopbackAddressesWithAPortAreTaken) {
  EXPECT_THAT(LoopbackPort("127.0.0.1:9480"), IsOkAndHolds(9480));
  EXPECT_THAT(LoopbackPort("localhost:1"), IsOkAndHolds(1));
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1",
                          "10.0.0.1:80", "example.org:80"}) {
    EXPECT_THAT(LoopbackPort(bad), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("127.0.0.1:PORT"))) << bad;
  }
}

}  // namespace
}  // namespace thinwire
