#include "client/daemon/classify_task.h"

namespace thinwire {

ClientTask ClassifyTask(const ClassifierFactory& make_classifier) {
  const auto flags = std::make_shared<ClassifyFlags>();
  ClientTask task;
  task.name = "classify";
  task.help = "images, with LibTorch";
  task.flags = {
      {"--model", "NAME", &flags->model, "mlp, cnn, cifar-cnn, resnet9 or resnet9-narrow"},
      {"--data", "DIR", &flags->data, "folder with four IDX files of the MNIST form, .gz or not"},
      {"--partition", "RULE", &flags->partition, "how samples are dealt out: iid, dirichlet:ALPHA, label:K"},
      {"--shard", "I/N", &flags->shard, "this client's part of the deal, 0/N to (N-1)/N"},
      {"--samples", "N", &flags->samples, "samples dealt out to all clients together; 0: all"},
      {"--seed", "N", &flags->seed, "of the deal; the same for all clients"},
      {"--weights", "RULE", &flags->weights,
       "in memory: full, or packed: in the plan's small floats (packed:nearest and packed:truncate for comparison)"},
      {"--device", "DEVICE", &flags->device, "cpu, cuda or cuda:N"},
      {"--threads", "N", &flags->threads, "computing threads; more than 1 may change results from run to run", 1, 1024},
  };
  task.make_trainer = [flags, make_classifier](const ClientFlags& client) { return make_classifier(client, *flags); };
  return task;
}

}  // namespace thinwire
