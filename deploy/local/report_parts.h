// What the reports of local and simulated runs have in common.
#ifndef THINWIRE_DEPLOY_LOCAL_REPORT_PARTS_H_
#define THINWIRE_DEPLOY_LOCAL_REPORT_PARTS_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "deploy/local/run_report.h"

namespace thinwire {

std::string Megabytes(uint64_t bytes);                   // "12.345 MB"
std::string Percent(uint64_t part, uint64_t whole);      // "34.56 %", "-" of nothing
std::string OrDash(const std::optional<double>& value);  // "0.1234" or "-"

// "80 updates, 0.05 bits a parameter, 99.98 % of the budget, relative squared error 0.15": means over all of them.
std::string UploadsText(const std::vector<RoundLine>& rounds);

nlohmann::ordered_json Json(const std::optional<double>& value);  // null if absent
nlohmann::ordered_json Json(const RoundLine& line);
nlohmann::ordered_json Json(const ProcessUsage& usage);

// Two-space indent, valid whatever text came from elsewhere.
std::string Document(const nlohmann::ordered_json& json);

}  // namespace thinwire

#endif  // THINWIRE_DEPLOY_LOCAL_REPORT_PARTS_H_
