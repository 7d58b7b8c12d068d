// --task classify: images, with LibTorch. Its flags are read twice, by thinwire-client, which has no LibTorch, and by
// thinwire-client-torch, which it becomes.
#ifndef THINWIRE_CLIENT_DAEMON_CLASSIFY_TASK_H_
#define THINWIRE_CLIENT_DAEMON_CLASSIFY_TASK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/daemon/client_task.h"

namespace thinwire {

struct ClassifyFlags {
  std::string model = "cnn";
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string partition = "iid";
  std::string shard = "0/1";
  uint64_t samples = 0;
  uint64_t seed = 0;
  std::string weights = "full";
  std::string device = "cpu";
  uint64_t threads = 1;
};

// Errors are the user's: wrong data, model or device.
using ClassifierFactory =
    std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const ClientFlags&, const ClassifyFlags&)>;

ClientTask ClassifyTask(const ClassifierFactory& make_classifier);

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_DAEMON_CLASSIFY_TASK_H_
