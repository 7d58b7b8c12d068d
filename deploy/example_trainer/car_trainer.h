// A trainer of one's own: how far a car goes with a gallon, from its weight and power, by linear regression.
#ifndef CARS_CLIENT_CAR_TRAINER_H_
#define CARS_CLIENT_CAR_TRAINER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session/trainer.h"

namespace cars {

struct Car {
  float weight = 0;  // 1,000 lb
  float power = 0;   // hp
  float mpg = 0;     // miles per gallon
};

// Reads "weight,power,mpg,name" lines below one line of headings. Errors name file and line.
absl::StatusOr<std::vector<Car>> ReadCars(const std::string& path);

// The same cars are trained on and evaluated on. INVALID_ARGUMENT if there are none.
absl::StatusOr<std::unique_ptr<thinwire::Trainer>> MakeCarTrainer(std::vector<Car> cars);

}  // namespace cars

#endif  // CARS_CLIENT_CAR_TRAINER_H_
