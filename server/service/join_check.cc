#include "server/service/join_check.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/subspace/coordinates.h"
#include "common/update/upload_budget.h"
#include "common/wire/convert.h"
#include "server/service/model_difference.h"

namespace thinwire {
namespace {

constexpr size_t kMaxClientId = 64;
constexpr size_t kMaxText = 200;

v1::CodecKind KindOf(CodecId id) {
  switch (id) {
    case CodecId::kFp32:
      return v1::CODEC_KIND_FP32;
    case CodecId::kFloat:
      return v1::CODEC_KIND_FLOAT;
    case CodecId::kInt64:
      return v1::CODEC_KIND_INT64;
    case CodecId::kFloatBlocks:
      return v1::CODEC_KIND_FLOAT_BLOCKS;
    case CodecId::kSparse:
      return v1::CODEC_KIND_SPARSE;
    case CodecId::kRdu:
      return v1::CODEC_KIND_RDU;
    case CodecId::kQuantized:
      return v1::CODEC_KIND_QUANTIZED;
  }
  return v1::CODEC_KIND_UNSPECIFIED;
}

// The plan's codecs, and those that the model's buffers, and what is no matrix, travel in.
std::vector<v1::CodecKind> NeededCodecs(const ExchangePlan& plan, const ModelSpec* model) {
  std::vector<v1::CodecKind> needed = {KindOf(plan.downlink.id), KindOf(plan.uplink.id)};
  for (const CodecSpec& codec : {plan.downlink, plan.uplink}) {
    if (codec.id == CodecId::kFloatBlocks && codec.blocks.weights_only) needed.push_back(v1::CODEC_KIND_FP32);
  }
  if (plan.subspace.has_value()) needed.insert(needed.end(), {v1::CODEC_KIND_FP32, v1::CODEC_KIND_SUBSPACE});
  if (plan.sketch.has_value()) needed.push_back(v1::CODEC_KIND_SKETCH);
  if (plan.top_k > 0) needed.push_back(KindOf(plan.uplink.SparseValues().id));
  if (model == nullptr) return needed;
  for (const TensorSpec& tensor : model->tensors()) {
    if (tensor.role != TensorRole::kBuffer) continue;
    needed.push_back(tensor.dtype == DataType::kInt64 ? v1::CODEC_KIND_INT64 : v1::CODEC_KIND_FP32);
  }
  return needed;
}

JoinVerdict Refuse(const char* refusal, absl::Status status) {
  JoinVerdict verdict;
  verdict.refusal = refusal;
  verdict.status = std::move(status);
  return verdict;
}

absl::Status CheckVersions(const v1::JoinRequest& request) {
  const auto& versions = request.wire_versions();
  if (std::find(versions.begin(), versions.end(), kWireVersion) != versions.end()) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("no common wire version: the client speaks [",
                                               absl::StrJoin(versions, ","), "], this server ", kWireVersion,
                                               "; install matching releases"));
}

absl::Status CheckCodecs(const v1::JoinRequest& request, const ExchangePlan& plan, const ModelSpec* model) {
  for (const v1::CodecKind needed : NeededCodecs(plan, model)) {
    const auto& has = request.codecs();
    if (std::find(has.begin(), has.end(), needed) != has.end()) continue;
    if (needed == v1::CODEC_KIND_SUBSPACE) {
      return absl::UnimplementedError(absl::StrCat("the run's plan (", plan.Name(),
                                                   ") trains in a subspace, which the client cannot; start it with "
                                                   "--weights full, or install a newer client"));
    }
    return absl::UnimplementedError(absl::StrCat("the run's plan (", plan.Name(), ") needs ",
                                                 v1::CodecKind_Name(needed),
                                                 ", which the client lacks; install a "
                                                 "newer client, or change the plan"));
  }
  return absl::OkStatus();
}

absl::Status CheckExamples(const v1::JoinRequest& request, uint64_t max_examples) {
  if (request.role() == v1::CLIENT_ROLE_EVALUATOR) return absl::OkStatus();
  if (request.examples() >= 1 && request.examples() <= max_examples) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("examples is ", request.examples(), "; it must be 1..", max_examples,
                                                 " (the server's aggregation.max_examples)"));
}

}  // namespace

absl::Status CheckClientId(absl::string_view id) {
  const bool good = !id.empty() && id.size() <= kMaxClientId && std::all_of(id.begin(), id.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("client_id is '", CleanText(id), "' (", id.size(),
                                                 " characters); it must be [A-Za-z0-9._-]{1,", kMaxClientId, "}"));
}

absl::Status CheckEvaluation(const v1::ReportEvaluationRequest& request) {
  if (std::isfinite(request.loss()) && request.accuracy() >= 0 && request.accuracy() <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("accuracy is ", request.accuracy(), " and loss ", request.loss(),
                                                 "; accuracy must be 0..1 and loss finite"));
}

std::string CleanText(absl::string_view text) {
  std::string clean(text.substr(0, kMaxText));
  for (char& c : clean) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c)) || c == '"') c = '?';
  }
  if (text.size() > kMaxText) clean += "...";
  return clean;
}

JoinVerdict CheckJoin(const v1::JoinRequest& request, const JoinRules& rules) {
  absl::Status status = CheckClientId(request.client_id());
  if (!status.ok()) return Refuse("bad request", status);
  if (request.role() != v1::CLIENT_ROLE_TRAINER && request.role() != v1::CLIENT_ROLE_EVALUATOR) {
    return Refuse("bad request",
                  absl::InvalidArgumentError(
                      absl::StrCat("role is ", request.role(), "; use CLIENT_ROLE_TRAINER or CLIENT_ROLE_EVALUATOR")));
  }
  if (status = CheckVersions(request); !status.ok()) return Refuse("wire version", status);
  if (status = CheckExamples(request, rules.max_examples); !status.ok()) return Refuse("bad request", status);

  JoinVerdict verdict;
  verdict.client.id = request.client_id();
  verdict.client.role = request.role() == v1::CLIENT_ROLE_TRAINER ? Role::kTrainer : Role::kEvaluator;
  verdict.client.examples = request.examples();
  verdict.client.software = CleanText(request.software());
  if (request.has_model()) {
    absl::StatusOr<ModelSpec> model = FromProto(request.model());
    if (!model.ok()) return Refuse("bad request", model.status());
    if (rules.model != nullptr && *model != *rules.model) {
      return Refuse("wrong model", absl::FailedPreconditionError(absl::StrCat(
                                       "the run's model differs from this client's, ",
                                       FirstDifference(*rules.model, *model), ": start it with the run's model")));
    }
    if (status = CheckUploadFits(rules.plan, *model); !status.ok()) {
      return Refuse("wrong model", absl::FailedPreconditionError(absl::StrCat(
                                       "the run's plan does not fit this client's model: ", status.message())));
    }
    status = rules.plan.subspace.has_value() ? CheckSubspaceFits(*rules.plan.subspace, *model) : absl::OkStatus();
    if (!status.ok()) {
      return Refuse("wrong model", absl::FailedPreconditionError(absl::StrCat(
                                       "the run's plan does not fit this client's model: ", status.message())));
    }
    verdict.client.model = std::make_shared<const ModelSpec>(*std::move(model));
  }
  const ModelSpec* const model = rules.model != nullptr ? rules.model.get() : verdict.client.model.get();
  if (status = CheckCodecs(request, rules.plan, model); !status.ok()) return Refuse("missing codec", status);
  return verdict;
}

}  // namespace thinwire
