#include "tests/simulation/simulated_clients.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace thinwire {
namespace {

constexpr absl::Duration kHold = absl::Minutes(5);  // of a waiting call
constexpr absl::Duration kLease = absl::Seconds(30);

}  // namespace

SimulatedClients::SimulatedClients(const SimulationOptions& options, EventQueue* queue, Dice* dice)
    : options_(options), queue_(queue), dice_(dice), clients_(options.trainers + options.evaluators) {
  for (size_t i = 0; i < clients_.size(); ++i) {
    Client& client = clients_[i];
    client.role = i < options.trainers ? Role::kTrainer : Role::kEvaluator;
    client.name = absl::StrCat(client.role == Role::kTrainer ? "t" : "e", i);
    client.usual_time = dice_->Between(absl::Seconds(1), absl::Seconds(10));
    by_name_[client.name] = &client;
  }
}

void SimulatedClients::Start(SimulatedServer* server) {
  server_ = server;
  for (Client& client : clients_) {
    Later(&client, dice_->Between(absl::ZeroDuration(), absl::Seconds(10)), [this, &client] { Ask(&client); });
  }
}

void SimulatedClients::Later(Client* client, absl::Duration delay, std::function<void()> action) {
  queue_->After(delay, [client, turn = client->turn, action = std::move(action)] {
    if (client->turn == turn) action();
  });
}

void SimulatedClients::Begin(Client* client, Doing doing) {
  ++client->turn;
  client->doing = doing;
}

void SimulatedClients::Ask(Client* client) {
  Begin(client, Doing::kWaiting);
  if (!server_->up()) return Later(client, RetryDelay(), [this, client] { Ask(client); });
  if (!dice_->Chance(options_.faults.message_lost)) server_->Post(ClientWaiting{client->name, client->role, 100});
  Later(client, kHold, [this, client] {
    if (server_->up()) server_->Post(ClientStoppedWaiting{client->name});
    Later(client, RetryDelay(), [this, client] { Ask(client); });
  });
}

void SimulatedClients::ServerRestarted() {
  for (Client& client : clients_) {
    if (client.doing == Doing::kWaiting) {
      Begin(&client, Doing::kWaiting);
      Later(&client, RetryDelay(), [this, &client] { Ask(&client); });
    } else if (client.doing == Doing::kDead) {
      WatchLease(&client);
    }
  }
}

void SimulatedClients::Dismissed(const std::string& name) {
  Client* const client = by_name_.at(name);
  if (client->doing == Doing::kWaiting) Begin(client, Doing::kDone);
}

void SimulatedClients::Assigned(const Assign& assign) {
  Client* const client = by_name_.at(assign.client);
  if (dice_->Chance(options_.faults.message_lost)) return;
  queue_->After(dice_->Between(absl::Milliseconds(1), absl::Milliseconds(50)), [this, client, assign] {
    if (client->doing == Doing::kWaiting) Work(client, assign);
  });
}

void SimulatedClients::Work(Client* client, const Assign& assign) {
  const Faults& faults = options_.faults;
  Begin(client, Doing::kWorking);
  absl::Duration time = client->usual_time * (dice_->Chance(faults.client_slow) ? 30 : 1);
  time = dice_->Between(time / 2, time * 3 / 2);
  if (dice_->Chance(faults.lease_lost)) {
    Later(client, dice_->Between(absl::ZeroDuration(), time), [this, client] {
      server_->Post(ClientGone{client->name, "lease: silent"});
    });
  }
  if (dice_->Chance(faults.client_dies)) return Later(client, time / 2, [this, client] { Die(client); });
  Later(client, time, [this, client, assign] { Deliver(client, assign); });
}

void SimulatedClients::Deliver(Client* client, const Assign& assign) {
  if (!server_->up()) return Later(client, RetryDelay(), [this, client, assign] { Deliver(client, assign); });
  if (dice_->Chance(options_.faults.client_fails)) {
    server_->Post(AssignmentFailed{assign.assignment, "train: out of memory", true});
    return Ask(client);
  }
  if (assign.kind != WorkKind::kEvaluate) return Upload(client, assign.assignment);
  server_->ReportEvaluation(assign.assignment);
  Ask(client);
}

void SimulatedClients::Upload(Client* client, const std::string& id) {
  const bool lost = !server_->up() || dice_->Chance(options_.faults.message_lost);
  const AssignmentState state = server_->up() ? server_->Upload(id) : AssignmentState::kTraining;
  if (lost) return Later(client, RetryDelay(), [this, client, id] { Upload(client, id); });
  // A client that is confused enough to call a delivered update failed.
  if (state == AssignmentState::kReceived && dice_->Chance(options_.faults.client_fails) && server_->up()) {
    server_->Post(AssignmentFailed{id, "confused", true});
  }
  Ask(client);
}

void SimulatedClients::Die(Client* client) {
  Begin(client, Doing::kDead);
  WatchLease(client);
  Later(client, dice_->Between(kLease / 2, kLease * 4), [this, client] { Ask(client); });
}

void SimulatedClients::WatchLease(Client* client) {
  Later(client, kLease, [this, client] {
    if (server_->up()) server_->Post(ClientGone{client->name, "lease: silent"});
  });
}

}  // namespace thinwire
