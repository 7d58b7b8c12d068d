// Speed of the float codec, on one thread, as a ratio to memcpy of the same values. Each iteration times a memcpy and
// then the operation, so that both see the same state of the machine; medians are reported, in processor time of the
// thread.
//
//   codec_bench [--benchmark_filter=...]
//
// Counters: GB/s of FP32 values, of the operation and of memcpy, and their ratio. Rows:
//   scan         the largest magnitude of a tensor, which the scale is chosen by
//   encode       quantise and pack, nothing else
//   dither       quantise with stochastic rounding and pack: random bits included
//   scan+encode  both sweeps
//   frames       scan and encode block by block into frames with checksums, in one buffer after the other, as
//                EncodePayload does while the first block's scale holds
//   decode       unpack and dequantise, nothing else
//   unframe      frames with checksums to values
//   payload      EncodePayload: frames, SHA-256 and a file in the temporary folder, not synced
//   unpayload    PayloadSource: the same file to values, hashes checked
#include <benchmark/benchmark.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/random_bits.h"
#include "common/codec/codec.h"
#include "common/codec/kernels/float_kernels.h"
#include "common/codec/payload.h"
#include "common/tensor/block_source.h"
#include "common/tensor/model_spec.h"

namespace thinwire {
namespace {

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Roughly normal numbers of deviation 0.01, as updates are; a sum of uniform ones will do.
std::vector<float> Update(size_t count) {
  std::vector<float> values(count);
  uint32_t state = 1;
  for (float& value : values) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) {
      state = state * 1664525u + 1013904223u;
      sum += static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    }
    value = sum * 0.0173f;
  }
  return values;
}

absl::Span<float> Block(std::vector<float>& all, size_t i) {
  return absl::MakeSpan(all).subspan(i * kBlockValues, kBlockValues);
}

// A model of one tensor.
class VectorSource : public BlockSource {
 public:
  explicit VectorSource(const std::vector<float>& values) : values_(values) {}
  absl::Status ReadFloats(uint32_t, uint64_t first, absl::Span<float> out) override {
    std::copy_n(values_.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
    return absl::OkStatus();
  }
  absl::Status ReadInts(uint32_t, uint64_t, absl::Span<int64_t>) override {
    return absl::InternalError("the model has no integers");
  }

 private:
  const std::vector<float>& values_;
};

// Everything that one operation works on.
struct Bench {
  Bench(const CodecSpec& spec, size_t count)
      : codec(std::move(MakeCodec(spec)).value()), values(Update(count)), decoded(count), copy(count) {
    TensorScan scan;
    scan.Add(values);
    scale = *codec->ChooseScale(scan);
    packed.resize(PackedSize(count, spec.format.width()));
    EncodeFloats(values.data(), count, spec.format, scale, packed.data());
    EncodeFrames();
    model = *ModelSpec::Create({{"w", {static_cast<int64_t>(count)}, DataType::kFloat32, TensorRole::kTrainable}});
    path = absl::StrCat(std::getenv("TMPDIR") == nullptr ? "/tmp" : std::getenv("TMPDIR"), "/thinwire_codec_bench_",
                        getpid());
    EncodeFile();
  }
  ~Bench() { (void)RemoveFile(path); }
  void Scan() { benchmark::DoNotOptimize(MaxMagnitudeBits(values.data(), values.size())); }
  void Encode() { EncodeFloats(values.data(), values.size(), codec->spec().format, scale, packed.data()); }
  void EncodeDithered() {
    std::vector<uint16_t> dither(std::min<size_t>(values.size(), 4096));
    for (size_t at = 0; at < values.size(); at += dither.size()) {
      FillRandomHalves(1, at / 8, absl::MakeSpan(dither));
      EncodeFloatsDithered(values.data() + at, dither.data(), dither.size(), codec->spec().format, scale,
                           packed.data() + PackedSize(at, codec->spec().format.width()));
    }
  }
  void Decode() { DecodeFloats(packed.data(), values.size(), codec->spec().format, scale, decoded.data()); }
  void EncodeFrames() {
    frames.resize((values.size() + kBlockValues - 1) / kBlockValues);
    for (size_t i = 0; i < frames.size(); ++i) EncodeFrame(i, &frames[i]);
  }
  void EncodeFrame(size_t i, std::string* frame) {
    TensorScan scan;
    scan.Add(Block(values, i));
    frame->clear();
    const absl::Status status = codec->Encode(Block(values, i), codec->needs_scan() ? scale : 1.0f, frame);
    if (!status.ok()) std::abort();
  }
  void EncodeBlocks() {
    for (size_t i = 0; i < frames.size(); ++i) EncodeFrame(i, &buffer);
  }
  void DecodeBlocks() {
    for (size_t i = 0; i < frames.size(); ++i) {
      if (!DecodeFrame(frames[i], Block(decoded, i)).ok()) std::abort();
    }
  }
  void EncodeFile() {
    VectorSource source(values);
    if (!EncodePayload(model, {Representation::kModel, codec->spec(), {}}, source, path).ok()) std::abort();
  }
  void DecodeFile() {
    const auto reader = PayloadReader::Open(path, {}, model);
    PayloadSource source(*reader);
    for (size_t i = 0; i < frames.size(); ++i) {
      if (!source.ReadFloats(0, i * kBlockValues, Block(decoded, i)).ok()) std::abort();
    }
  }

  std::unique_ptr<Codec> codec;
  ModelSpec model;
  std::string path, buffer;
  std::vector<float> values, decoded, copy;
  std::vector<uint8_t> packed;
  std::vector<std::string> frames;
  float scale = 1;
};

using Operation = void (*)(Bench*);

void Run(benchmark::State& state, const CodecSpec& spec, const KernelTarget& target, Operation operation,
         size_t count) {
  UseKernelTarget(&target);
  Bench bench(spec, count);
  // Small buffers many times over, so that a measurement is long against the clock.
  const size_t repeats = std::max<size_t>(1, (size_t{1} << 21) / count);
  std::vector<double> copies, operations;
  for (auto _ : state) {
    const double start = ThreadSeconds();
    for (size_t i = 0; i < repeats; ++i) {
      std::memcpy(bench.copy.data(), bench.values.data(), count * sizeof(float));
      benchmark::ClobberMemory();
    }
    const double middle = ThreadSeconds();
    for (size_t i = 0; i < repeats; ++i) {
      operation(&bench);
      benchmark::ClobberMemory();
    }
    const double end = ThreadSeconds();
    copies.push_back(middle - start);
    operations.push_back(end - middle);
    state.SetIterationTime(end - middle);
  }
  UseKernelTarget(nullptr);
  const double gigabytes = 1e-9 * static_cast<double>(repeats * count * sizeof(float));
  state.counters["GB/s"] = gigabytes / Median(operations);
  state.counters["memcpy"] = gigabytes / Median(copies);
  state.counters["ratio"] = Median(copies) / Median(operations);
}

const std::vector<std::pair<const char*, Operation>>& Operations() {
  static const auto* const operations = new std::vector<std::pair<const char*, Operation>>{
      {"scan", [](Bench* b) { b->Scan(); }},
      {"encode", [](Bench* b) { b->Encode(); }},
      {"dither", [](Bench* b) { b->EncodeDithered(); }},
      {"scan+encode", [](Bench* b) { b->Scan(), b->Encode(); }},
      {"frames", [](Bench* b) { b->EncodeBlocks(); }},
      {"decode", [](Bench* b) { b->Decode(); }},
      {"unframe", [](Bench* b) { b->DecodeBlocks(); }},
      {"payload", [](Bench* b) { b->EncodeFile(); }},
      {"unpayload", [](Bench* b) { b->DecodeFile(); }},
  };
  return *operations;
}

void Register(const std::string& codec, const KernelTarget& target, size_t count) {
  const CodecSpec spec = *CodecSpec::Parse(codec);
  for (const auto& [name, operation] : Operations()) {
    const bool kernel_only = absl::StrContains("scan+encode dither decode", name);
    if (spec.id != CodecId::kFloat && kernel_only) continue;
    benchmark::RegisterBenchmark(absl::StrCat(codec, "/", target.name, "/", count, "/", name).c_str(), Run, spec,
                                 target, operation, count)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->MinTime(0.3);
  }
}

void RegisterAll() {
  const std::vector<KernelTarget> targets = KernelTargets();
  for (const size_t count : {size_t{1} << 16, size_t{1} << 20, size_t{1} << 24}) {
    for (const KernelTarget& target : targets) Register("s1e3m7:pow2", target, count);
    for (const char* codec :
         {"s1e2m3:pow2", "s1e4m3:pow2", "s1e5m10:pow2", "s1e4m14:pow2", "s1e8m7:none", "s1e3m7:absmax", "fp32",
          // Float blocks: scales of their own for groups of 4,096 and of 64 values.
          "s1e3m7/4096", "s1e3m7/64", "s1e2m3:absmax/64", "s1e3m7/64+correction"}) {
      Register(codec, targets.front(), count);
    }
  }
}

}  // namespace
}  // namespace thinwire

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  thinwire::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
