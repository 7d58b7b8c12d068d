#include "client/daemon/speech_task.h"

#include "absl/strings/str_join.h"
#include "client/train/conformer_options.h"

namespace thinwire {

ClientTask SpeechTask(const RecognizerFactory& make_recognizer) {
  const auto flags = std::make_shared<SpeechFlags>();
  ClientTask task;
  task.name = "speech";
  task.help = "recordings to text, with LibTorch";
  task.flags = {
      {"--model", "NAME", &flags->model, absl::StrJoin(ConformerNames(), ", ")},
      {"--data", "FILE", &flags->data, "tab-separated index with columns file, speaker, transcript and split"},
      {"--audio", "DIR", &flags->audio, "folder that the index's file names are relative to; default: the index's own"},
      {"--partition", "RULE", &flags->partition, "how recordings are dealt out: iid, or speaker: whole speakers"},
      {"--shard", "I/N", &flags->shard, "this client's part of the deal, 0/N to (N-1)/N"},
      {"--samples", "N", &flags->samples, "recordings dealt out to all clients together; 0: all"},
      {"--seed", "N", &flags->seed, "of the deal; the same for all clients"},
      {"--sample-rate", "HZ", &flags->sample_rate, "of all recordings; others are skipped", 1, 1'000'000},
      {"--mel", "N", &flags->mel, "log-mel filters; the same for all clients", 1, 1024},
      {"--stack", "N", &flags->stack, "frames of 10 ms joined into one; the same for all clients", 1, 64},
      {"--no-masks", "", &flags->no_masks, "trains without masks over time and frequency"},
      {"--dropout-percent", "N", &flags->dropout_percent, "of activations, while training", 0, 99},
      {"--weights", "RULE", &flags->weights,
       "in memory: full, or packed: in the plan's small floats (packed:nearest and packed:truncate for comparison)"},
      {"--checkpoint", "", &flags->checkpoint, "computes blocks twice instead of keeping what is inside them"},
      {"--device", "DEVICE", &flags->device, "cpu, cuda or cuda:N"},
      {"--threads", "N", &flags->threads, "computing threads; more than 1 may change results from run to run", 1, 1024},
  };
  task.make_trainer = [flags, make_recognizer](const ClientFlags& client) { return make_recognizer(client, *flags); };
  return task;
}

}  // namespace thinwire
