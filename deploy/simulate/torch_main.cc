// thinwire-simulate with LibTorch in it; thinwire-simulate starts it for --task classify.
#include <string>
#include <vector>

#include "deploy/simulate/classify_task.h"
#include "deploy/simulate/program.h"

int main(int argc, char** argv) {
  return thinwire::RunSimulationProgram(std::vector<std::string>(argv + 1, argv + argc), thinwire::MakeClassifyTask);
}
