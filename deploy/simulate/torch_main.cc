// thinwire-simulate with LibTorch in it; thinwire-simulate starts it for --task classify and --task speech.
#include <string>
#include <vector>

#include "deploy/simulate/classify_task.h"
#include "deploy/simulate/program.h"
#include "deploy/simulate/speech_task.h"

int main(int argc, char** argv) {
  return thinwire::RunSimulationProgram(
      std::vector<std::string>(argv + 1, argv + argc), [](const thinwire::SimulationOptions& options) {
        return options.task == "speech" ? thinwire::MakeSpeechTask(options) : thinwire::MakeClassifyTask(options);
      });
}
