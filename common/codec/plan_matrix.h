// docs/plan_matrix.md: which exchange plans are accepted, and why the others are not. Generated from
// ExchangePlan::Validate, so that it cannot say anything else.
#ifndef THINWIRE_COMMON_CODEC_PLAN_MATRIX_H_
#define THINWIRE_COMMON_CODEC_PLAN_MATRIX_H_

#include <string>
#include <vector>

#include "common/codec/exchange_plan.h"

namespace thinwire {

// Every combination of representation, codec family and scale rule, in both directions, with one format for each family
// and the formats at the edges of what is allowed.
std::vector<ExchangePlan> PlanMatrixPlans();
// Subspaces of all kinds and at the edges, and the codecs that coordinates can and cannot go through.
std::vector<ExchangePlan> SubspaceMatrixPlans();
// Plans of top-k and of sketches.
std::vector<ExchangePlan> ReducedMatrixPlans();
// Plans of updates under a budget.
std::vector<ExchangePlan> BudgetMatrixPlans();

// The page, in Markdown.
std::string PlanMatrixMarkdown();

}  // namespace thinwire

#endif  // THINWIRE_COMMON_CODEC_PLAN_MATRIX_H_
