#include "client/session/pending_update.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace thinwire {
namespace {

constexpr uint64_t kMaxRecord = 4096;
constexpr size_t kMaxName = 128;
constexpr char kRecordStart[] = "thinwire-update 2";

// An assignment's id comes from the server: it becomes a file name only if it cannot lead out of the folder.
std::string SafeName(const std::string& id) {
  const auto safe = [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.'; };
  if (!id.empty() && id.size() <= kMaxName && id[0] != '.' && std::all_of(id.begin(), id.end(), safe)) return id;
  return Sha256(id).Hex();
}

// In a subspace two payloads may bring the same start.
const Digest& StartOf(const Assignment& assignment) {
  return assignment.subspace.has_value() ? assignment.subspace->base_id : assignment.model.id;
}

// Everything that must be equal for a saved update to answer an assignment.
std::string Fingerprint(const Assignment& assignment) {
  return Sha256(absl::StrCat(assignment.id, "\n", static_cast<int>(assignment.kind), "\n", assignment.version, "\n",
                             assignment.seed, "\n", StartOf(assignment).Hex()))
      .Hex();
}

std::string FormatOptional(const std::optional<double>& value) {
  return value.has_value() ? absl::StrFormat("%.17g", *value) : "-";
}

std::string FormatCoding(const CodingReport& coding) {
  return absl::StrFormat("%d %s %s %s", absl::ToInt64Microseconds(coding.time), FormatOptional(coding.distortion),
                         FormatOptional(coding.weighted_distortion), FormatOptional(coding.unsent_norm));
}

std::string FormatRecord(const Assignment& assignment, const PendingUpdate& update) {
  return absl::StrFormat("%s\n%s\n%s %d %d\n%d %.17g %d\n%s\n", kRecordStart, Fingerprint(assignment),
                         update.payload.id.Hex(), update.payload.total_size, update.payload.manifest_size,
                         update.examples, update.train_loss, absl::ToInt64Microseconds(update.train_time),
                         FormatCoding(update.coding));
}

bool ParsePayload(absl::string_view line, PayloadRef* ref) {
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  if (fields.size() != 3) return false;
  const absl::StatusOr<Digest> id = Digest::FromHex(fields[0]);
  if (!id.ok()) return false;
  ref->id = *id;
  return absl::SimpleAtoi(fields[1], &ref->total_size) && absl::SimpleAtoi(fields[2], &ref->manifest_size);
}

bool ParseResult(absl::string_view line, PendingUpdate* update) {
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  int64_t micros = 0;
  if (fields.size() != 3 || !absl::SimpleAtoi(fields[0], &update->examples) ||
      !absl::SimpleAtod(fields[1], &update->train_loss) || !absl::SimpleAtoi(fields[2], &micros)) {
    return false;
  }
  update->train_time = absl::Microseconds(micros);
  return true;
}

bool ParseOptional(const std::string& text, std::optional<double>* value) {
  if (text == "-") return true;
  return absl::SimpleAtod(text, &value->emplace());
}

bool ParseCoding(absl::string_view line, CodingReport* coding) {
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  int64_t micros = 0;
  if (fields.size() != 4 || !absl::SimpleAtoi(fields[0], &micros)) return false;
  coding->time = absl::Microseconds(micros);
  return ParseOptional(fields[1], &coding->distortion) && ParseOptional(fields[2], &coding->weighted_distortion) &&
         ParseOptional(fields[3], &coding->unsent_norm);
}

bool HasSize(const std::string& path, uint64_t size) {
  const absl::StatusOr<File> file = File::OpenForRead(path);
  if (!file.ok()) return false;
  const absl::StatusOr<uint64_t> actual = file->Size();
  return actual.ok() && *actual == size;
}

}  // namespace

std::string PendingUpdates::PayloadPath(const Assignment& assignment) const {
  return JoinPath(directory_, SafeName(assignment.id) + ".payload");
}
std::string PendingUpdates::RecordPath(const Assignment& assignment) const {
  return JoinPath(directory_, SafeName(assignment.id) + ".record");
}

absl::Status PendingUpdates::Save(const Assignment& assignment, const PendingUpdate& update) {
  const std::string payload = PayloadPath(assignment);
  const std::string record = RecordPath(assignment);
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory_, name);
    if (path == payload) continue;
    TW_RETURN_IF_ERROR(RemoveFile(path));
  }
  {
    TW_ASSIGN_OR_RETURN(File file, File::OpenForUpdate(payload));
    TW_RETURN_IF_ERROR(file.Sync());
  }
  // Syncs the directory too, and with it the payload's name.
  return WriteFileAtomically(record, FormatRecord(assignment, update));
}

std::optional<PendingUpdate> PendingUpdates::Load(const Assignment& assignment) const {
  const absl::StatusOr<std::string> record = ReadWholeFile(RecordPath(assignment), kMaxRecord);
  if (!record.ok()) return std::nullopt;
  const std::vector<std::string> lines = absl::StrSplit(*record, '\n');
  PendingUpdate update;
  update.assignment_id = assignment.id;
  update.path = PayloadPath(assignment);
  const bool good = lines.size() == 6 && lines[0] == kRecordStart && lines[1] == Fingerprint(assignment) &&
                    ParsePayload(lines[2], &update.payload) && ParseResult(lines[3], &update) &&
                    ParseCoding(lines[4], &update.coding) && HasSize(update.path, update.payload.total_size);
  if (!good) return std::nullopt;
  return update;
}

absl::Status PendingUpdates::Clear() {
  TW_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  for (const std::string& name : names) TW_RETURN_IF_ERROR(RemoveFile(JoinPath(directory_, name)));
  return absl::OkStatus();
}

}  // namespace thinwire
