// An assignment's model in a subspace: coordinates and whatever the client lacks are fetched, its basis is brought to
// the assignment's epoch and checked against the hash that the server names.
#ifndef THINWIRE_CLIENT_SESSION_SUBSPACE_FETCH_H_
#define THINWIRE_CLIENT_SESSION_SUBSPACE_FETCH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "client/session/basis_keeper.h"
#include "client/session/federation_api.h"
#include "client/session/model_fetch.h"
#include "common/subspace/fastfood.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// Thread-compatible.
class SubspaceFetcher {
 public:
  // `fetcher` must outlive it. `directory` is the basis' own.
  SubspaceFetcher(std::string directory, ModelFetcher* fetcher) : keeper_(std::move(directory)), fetcher_(fetcher) {}

  std::optional<HeldBasis> held() const { return keeper_.held(); }
  // theta of epoch 0, which need not be fetched then.
  absl::Status TakeInitial(const ModelState& initial) { return keeper_.TakeInitial(initial); }

  // Afterwards the functions below have what `assignment` starts from. `model` is what is trained. Errors: those of
  // ModelFetcher::FetchPayload; NOT_FOUND if the basis is not what it should be: it has been dropped, and the
  // assignment is to be asked for again, without one; INVALID_ARGUMENT if even the server's own snapshot is not.
  absl::Status Fetch(const Assignment& assignment, const ModelSpec& model, const JoinReply& run,
                     const PayloadDownloader::ProgressFn& progress);

  // theta_e with the version's buffers, by the model's tensors; any values of one tensor at a time.
  BlockSource& start();
  const std::vector<Fastfood>& matrices() const { return matrices_; }
  // Sigma, as it was decoded.
  const std::vector<std::vector<float>>& coordinates() const { return coordinates_; }
  // theta_e + sum over k of A_k Sigma_k, and the version's buffers, whole.
  absl::Status Expand(ModelState* state);

 private:
  // theta_e from its file, buffers from the version.
  class Start : public BlockSource {
   public:
    Start(const ModelSpec& model, const ModelSpec& version, BasisFile basis, const PayloadReader& reader);
    absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
    absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;

   private:
    BasisFile basis_;
    PayloadSource version_source_;
    std::vector<std::optional<uint64_t>> positions_;  // in theta; none: a buffer
    std::vector<uint32_t> buffers_;                   // the version's tensor
  };

  absl::Status Bring(const SubspaceWork& work, const ModelSpec& model, const JoinReply& run,
                     const PayloadDownloader::ProgressFn& progress);
  absl::Status TakeSnapshot(const SubspaceWork& work, const ModelSpec& model,
                            const PayloadDownloader::ProgressFn& progress);
  absl::Status FoldEpochs(const SubspaceWork& work, const ModelSpec& model, const JoinReply& run);
  // Drops the basis: NOT_FOUND.
  absl::Status AskAgain(const std::string& why);

  BasisKeeper keeper_;
  ModelFetcher* const fetcher_;
  ModelSpec version_spec_;
  std::optional<PayloadReader> version_;
  std::optional<Start> start_;
  std::vector<Fastfood> matrices_;
  std::vector<std::vector<float>> coordinates_;
};

// What an update carries: how far one vector moved, and the trained model's buffers. All must outlive it.
class CoordinatesDelta : public BlockSource {
 public:
  CoordinatesDelta(absl::Span<const float> start, absl::Span<const float> trained, std::vector<uint32_t> buffers,
                   BlockSource& model)
      : start_(start), trained_(trained), buffers_(std::move(buffers)), model_(model) {}
  absl::Status ReadFloats(uint32_t tensor, uint64_t first, absl::Span<float> out) override;
  absl::Status ReadInts(uint32_t tensor, uint64_t first, absl::Span<int64_t> out) override;

 private:
  const absl::Span<const float> start_, trained_;
  const std::vector<uint32_t> buffers_;
  BlockSource& model_;
};

}  // namespace thinwire

#endif  // THINWIRE_CLIENT_SESSION_SUBSPACE_FETCH_H_
