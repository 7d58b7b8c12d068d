// A client of a Thinwire federation with a trainer and data of its own. See README.md.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "car_trainer.h"
#include "client/daemon/client_program.h"
#include "common/base/status_macros.h"

namespace {

thinwire::ClientTask CarsTask() {
  const auto data = std::make_shared<std::string>("american.csv");
  thinwire::ClientTask task;
  task.name = "cars";
  task.help = "miles per gallon by weight and power";
  task.flags = {{"--data", "FILE", data.get(), "CSV file with weight, power, miles per gallon and name of each car"}};
  task.make_trainer = [data](const thinwire::ClientFlags&) -> absl::StatusOr<std::unique_ptr<thinwire::Trainer>> {
    TW_ASSIGN_OR_RETURN(std::vector<cars::Car> cars, cars::ReadCars(*data));
    return cars::MakeCarTrainer(std::move(cars));
  };
  return task;
}

}  // namespace

int main(int argc, char** argv) {
  thinwire::ClientProgram program;
  program.name = "cars-client";
  program.tasks = {CarsTask()};
  return thinwire::RunClientProgram(std::vector<std::string>(argv + 1, argv + argc), std::move(program));
}
