#include "server/round/selection.h"

#include <map>
#include <set>

#include "gtest/gtest.h"

namespace thinwire {
namespace {

std::vector<std::string> Clients(int count) {
  std::vector<std::string> clients;
  for (int i = 0; i < count; ++i) clients.push_back("c" + std::to_string(i));
  return clients;
}

TEST(SelectionTest, SelectsThatManyDifferentCandidates) {
  const auto selected = SelectClients(Clients(100), 30, 1, 1, 0);
  EXPECT_EQ(selected.size(), 30u);
  EXPECT_EQ(std::set<std::string>(selected.begin(), selected.end()).size(), 30u);
  EXPECT_EQ(SelectClients(Clients(5), 30, 1, 1, 0).size(), 5u);
  EXPECT_TRUE(SelectClients({}, 3, 1, 1, 0).empty());
}

TEST(SelectionTest, DependsOnSeedRoundAndDrawAndNotOnTheOrderOfTheCandidates) {
  std::vector<std::string> reversed = Clients(100);
  std::reverse(reversed.begin(), reversed.end());
  const auto selected = SelectClients(Clients(100), 30, 1, 1, 0);
  EXPECT_EQ(SelectClients(reversed, 30, 1, 1, 0), selected);
  EXPECT_NE(SelectClients(Clients(100), 30, 2, 1, 0), selected);
  EXPECT_NE(SelectClients(Clients(100), 30, 1, 2, 0), selected);
  EXPECT_NE(SelectClients(Clients(100), 30, 1, 1, 30), selected);
}

TEST(SelectionTest, EveryCandidateHasTheSameChance) {
  std::map<std::string, int> chosen;
  const int rounds = 4000;
  for (int round = 0; round < rounds; ++round) {
    for (const std::string& client : SelectClients(Clients(10), 3, 5, static_cast<uint32_t>(round), 0))
      ++chosen[client];
  }
  // 1200 expected, standard deviation 29.
  for (const auto& [client, times] : chosen) EXPECT_NEAR(times, rounds * 3 / 10, 150) << client;
}

}  // namespace
}  // namespace thinwire
