#include "client/speech/error_rate.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace thinwire {
namespace {

using Tokens = std::vector<absl::string_view>;

Tokens Words(absl::string_view text) { return absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty()); }

Tokens Characters(absl::string_view text) {
  Tokens tokens;
  for (size_t i = 0; i < text.size(); ++i) tokens.push_back(text.substr(i, 1));
  return tokens;
}

ErrorCount Plus(ErrorCount count, uint64_t substitution, uint64_t deletion, uint64_t insertion) {
  count.substitutions += substitution;
  count.deletions += deletion;
  count.insertions += insertion;
  return count;
}

const ErrorCount& Fewer(const ErrorCount& preferred, const ErrorCount& other) {
  return other.errors() < preferred.errors() ? other : preferred;
}

}  // namespace

double ErrorCount::rate() const {
  if (reference == 0) return errors() == 0 ? 0 : 1;
  return static_cast<double>(errors()) / static_cast<double>(reference);
}

ErrorCount& ErrorCount::operator+=(const ErrorCount& other) {
  *this = Plus(*this, other.substitutions, other.deletions, other.insertions);
  reference += other.reference;
  return *this;
}

// One row of the usual table at a time: row[j] turns the first j tokens of the hypothesis into the reference so far.
ErrorCount CountErrors(const Tokens& reference, const Tokens& hypothesis) {
  std::vector<ErrorCount> row(hypothesis.size() + 1);
  for (size_t j = 1; j < row.size(); ++j) row[j] = Plus(row[j - 1], 0, 0, 1);
  for (const absl::string_view word : reference) {
    ErrorCount diagonal = row[0];
    row[0] = Plus(row[0], 0, 1, 0);
    for (size_t j = 1; j < row.size(); ++j) {
      const ErrorCount replaced = Plus(diagonal, word == hypothesis[j - 1] ? 0 : 1, 0, 0);
      const ErrorCount deleted = Plus(row[j], 0, 1, 0);
      diagonal = row[j];
      row[j] = Fewer(Fewer(replaced, deleted), Plus(row[j - 1], 0, 0, 1));
    }
  }
  row.back().reference = reference.size();
  return row.back();
}

ErrorCount CountWordErrors(absl::string_view reference, absl::string_view hypothesis) {
  return CountErrors(Words(reference), Words(hypothesis));
}

ErrorCount CountCharacterErrors(absl::string_view reference, absl::string_view hypothesis) {
  return CountErrors(Characters(reference), Characters(hypothesis));
}

}  // namespace thinwire
