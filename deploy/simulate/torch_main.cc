// thinwire-simulate with LibTorch in it; thinwire-simulate starts it for every task but echo.
#include <string>
#include <vector>

#include "deploy/simulate/program.h"
#include "deploy/simulate/torch_tasks.h"

int main(int argc, char** argv) {
  return thinwire::RunSimulationProgram(std::vector<std::string>(argv + 1, argv + argc), thinwire::MakeTorchTask);
}
