#include "common/tensor/safetensors_header.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/tensor/safetensors.h"
#include "nlohmann/json.hpp"

namespace thinwire {
namespace {

using Json = nlohmann::json;

constexpr char kMetadata[] = "__metadata__";
constexpr char kRolePrefix[] = "thinwire.role.";
constexpr char kOrderKey[] = "thinwire.order";

// A name as it may stand in a message, whatever bytes it holds.
std::string Quoted(absl::string_view name) { return absl::StrCat("'", absl::CEscape(name.substr(0, 256)), "'"); }

absl::Status Fault(absl::string_view tensor, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("tensor ", Quoted(tensor), " ", what));
}

struct Entry {
  TensorSpec tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

absl::Status CheckName(const std::string& name) {
  const auto bad = std::find_if(name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; });
  if (bad == name.end()) return absl::OkStatus();
  return Fault(name, absl::StrCat("has a space or another unprintable or non-ASCII character at position ",
                                  bad - name.begin(), " of its name; rename it"));
}

absl::StatusOr<DataType> ParseType(const std::string& name, const Json& fields) {
  const auto it = fields.find("dtype");
  if (it == fields.end() || !it->is_string()) return Fault(name, "has no dtype");
  const std::string dtype = it->get<std::string>();
  if (dtype == "F32") return DataType::kFloat32;
  if (dtype == "I64") return DataType::kInt64;
  return Fault(name, absl::StrCat("has dtype ", Quoted(dtype), "; only F32 and I64 are accepted, convert it first"));
}

// A list of whole numbers >= 0 that fit 63 bits.
absl::StatusOr<std::vector<int64_t>> ParseNumbers(const std::string& name, const Json& fields, const char* key) {
  const auto it = fields.find(key);
  if (it == fields.end() || !it->is_array()) return Fault(name, absl::StrCat("has no list ", key));
  std::vector<int64_t> numbers;
  for (const Json& item : *it) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) {
      return Fault(name, absl::StrCat("has something else than whole numbers >= 0 in ", key));
    }
    numbers.push_back(item.get<int64_t>());
  }
  return numbers;
}

absl::StatusOr<TensorRole> ParseRole(const TensorSpec& tensor, const Json& metadata) {
  const auto it = metadata.find(absl::StrCat(kRolePrefix, tensor.name));
  if (it == metadata.end()) return tensor.dtype == DataType::kInt64 ? TensorRole::kBuffer : TensorRole::kTrainable;
  const std::string role = it->get<std::string>();
  if (role == "trainable") return TensorRole::kTrainable;
  if (role == "buffer") return TensorRole::kBuffer;
  if (role == "frozen") return TensorRole::kFrozen;
  return Fault(tensor.name, absl::StrCat("has role ", Quoted(role), "; it is trainable, buffer or frozen"));
}

absl::StatusOr<Entry> ParseEntry(const std::string& name, const Json& fields, const Json& metadata) {
  TW_RETURN_IF_ERROR(CheckName(name));
  if (!fields.is_object()) return Fault(name, "is not described by an object");
  Entry entry;
  entry.tensor.name = name;
  TW_ASSIGN_OR_RETURN(entry.tensor.dtype, ParseType(name, fields));
  TW_ASSIGN_OR_RETURN(entry.tensor.shape, ParseNumbers(name, fields, "shape"));
  TW_ASSIGN_OR_RETURN(entry.tensor.role, ParseRole(entry.tensor, metadata));
  TW_ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, ParseNumbers(name, fields, "data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) return Fault(name, "has data_offsets that are no range");
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.end = static_cast<uint64_t>(offsets[1]);
  return entry;
}

uint64_t ValueSize(DataType dtype) { return dtype == DataType::kInt64 ? sizeof(int64_t) : sizeof(float); }

// Entries in the order of their data must fill it from the first byte to the last.
absl::Status CheckTiling(const std::vector<Entry>& entries, uint64_t data_size) {
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end) {
      return Fault(entry.tensor.name, absl::StrCat("starts at byte ", entry.begin, " of the data, ", end, " expected"));
    }
    // Believed only as far as it fits the file; so the product below cannot overflow after Create's own check.
    if (entry.end > data_size) {
      return Fault(entry.tensor.name,
                   absl::StrCat("ends at byte ", entry.end, " of the data, the file has ", data_size));
    }
    const uint64_t size = entry.tensor.count() * ValueSize(entry.tensor.dtype);
    if (entry.end - entry.begin != size) {
      return Fault(entry.tensor.name, absl::StrCat("has ", entry.end - entry.begin, " bytes, its shape [",
                                                   absl::StrJoin(entry.tensor.shape, ","), "] needs ", size));
    }
    end = entry.end;
  }
  if (end != data_size) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", data_size, " bytes of values, its tensors ", end));
  }
  return absl::OkStatus();
}

// Positions in the data, by the model's order.
absl::StatusOr<std::vector<size_t>> ParseOrder(const Json& metadata, size_t tensors) {
  std::vector<size_t> order(tensors);
  for (size_t i = 0; i < tensors; ++i) order[i] = i;
  const auto it = metadata.find(kOrderKey);
  if (it == metadata.end()) return order;
  const std::string text = it->get<std::string>();
  const std::vector<absl::string_view> items = absl::StrSplit(text, ',');
  std::vector<bool> seen(tensors);
  for (size_t i = 0; i < items.size() && items.size() == tensors; ++i) {
    uint32_t position = 0;
    if (!absl::SimpleAtoi(items[i], &position) || position >= tensors || seen[position]) break;
    seen[position] = true;
    order[i] = position;
  }
  if (std::count(seen.begin(), seen.end(), true) != static_cast<ptrdiff_t>(tensors)) {
    return absl::InvalidArgumentError(
        absl::StrCat("__metadata__ ", kOrderKey, " does not name each of the ", tensors, " tensors once"));
  }
  return order;
}

absl::StatusOr<Json> ParseMetadata(const Json& root) {
  const auto it = root.find(kMetadata);
  if (it == root.end()) return Json::object();
  if (!it->is_object()) return absl::InvalidArgumentError("__metadata__ is not an object");
  for (const auto& item : it->items()) {
    if (!item.value().is_string()) {
      return absl::InvalidArgumentError(absl::StrCat("__metadata__ ", Quoted(item.key()), " is not a text"));
    }
  }
  return *it;
}

// The root object and its keys in the order of the text (which tells empty tensors at one offset apart).
absl::StatusOr<Json> ParseRoot(absl::string_view json, std::vector<std::string>* keys) {
  std::set<std::string> known;
  std::string repeated;
  const auto note_key = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1) {
      const std::string key = parsed.get<std::string>();
      if (known.insert(key).second) {
        keys->push_back(key);
      } else {
        repeated = key;
      }
    }
    return true;
  };
  Json root = Json::parse(json.begin(), json.end(), note_key, /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object()) return absl::InvalidArgumentError("the header is not a JSON object");
  if (!repeated.empty()) return absl::InvalidArgumentError(absl::StrCat("two tensors are named ", Quoted(repeated)));
  return root;
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json, uint64_t data_size) {
  std::vector<std::string> keys;
  TW_ASSIGN_OR_RETURN(const Json root, ParseRoot(json, &keys));
  TW_ASSIGN_OR_RETURN(const Json metadata, ParseMetadata(root));
  std::vector<Entry> entries;
  std::vector<TensorSpec> tensors;
  for (const std::string& key : keys) {
    if (key == kMetadata) continue;
    TW_ASSIGN_OR_RETURN(Entry entry, ParseEntry(key, root[key], metadata));
    entries.push_back(std::move(entry));
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::make_pair(a.begin, a.end) < std::make_pair(b.begin, b.end);
  });
  TW_ASSIGN_OR_RETURN(const std::vector<size_t> order, ParseOrder(metadata, entries.size()));
  SafetensorsHeader header;
  for (const size_t position : order) {
    tensors.push_back(entries[position].tensor);
    header.offsets.push_back(entries[position].begin);
  }
  // Checks names and shapes before any product of sizes is taken.
  TW_ASSIGN_OR_RETURN(header.spec, ModelSpec::Create(std::move(tensors)));
  TW_RETURN_IF_ERROR(CheckTiling(entries, data_size));
  return header;
}

std::string FormatSafetensorsHeader(const ModelSpec& spec, std::vector<uint64_t>* offsets) {
  const std::vector<uint32_t> layout = SafetensorsLayout(spec);
  std::vector<uint32_t> positions(layout.size());
  offsets->assign(layout.size(), 0);
  nlohmann::ordered_json metadata = {{"format", "pt"}};
  std::string body;
  uint64_t end = 0;
  for (uint32_t position = 0; position < layout.size(); ++position) {
    const TensorSpec& tensor = spec.tensors()[layout[position]];
    positions[layout[position]] = position;
    (*offsets)[layout[position]] = end;
    const uint64_t begin = std::exchange(end, end + tensor.count() * ValueSize(tensor.dtype));
    const Json fields = {{"dtype", tensor.dtype == DataType::kInt64 ? "I64" : "F32"},
                         {"shape", tensor.shape},
                         {"data_offsets", {begin, end}}};
    absl::StrAppend(&body, ",", Json(tensor.name).dump(), ":", fields.dump());
    const TensorRole usual = tensor.dtype == DataType::kInt64 ? TensorRole::kBuffer : TensorRole::kTrainable;
    if (tensor.role != usual) {
      metadata[absl::StrCat(kRolePrefix, tensor.name)] = tensor.role == TensorRole::kFrozen ? "frozen" : "buffer";
    }
  }
  if (!std::is_sorted(positions.begin(), positions.end())) metadata[kOrderKey] = absl::StrJoin(positions, ",");
  std::string json = absl::StrCat("{\"", kMetadata, "\":", metadata.dump(), body, "}");
  json.append((8 - json.size() % 8) % 8, ' ');
  return json;
}

}  // namespace thinwire
