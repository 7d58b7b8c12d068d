// From kept values to the table that their labels stand for. For encoders; pure; thread-safe.
#ifndef THINWIRE_COMMON_QUANTIZE_TABLE_FIT_H_
#define THINWIRE_COMMON_QUANTIZE_TABLE_FIT_H_

#include "absl/types/span.h"
#include "common/quantize/level_table.h"
#include "common/quantize/quantizer_spec.h"

namespace thinwire {

// `values` are kept entries: not empty, none of them zero. With levels: a density is fitted to their magnitudes, and
// Lloyd's levels of it are taken, all equal if the magnitudes are.
LevelTable FitTable(const QuantizerSpec& spec, absl::Span<const float> values);

}  // namespace thinwire

#endif  // THINWIRE_COMMON_QUANTIZE_TABLE_FIT_H_
