#include "tests/unit/codec/golden_cases.h"

#include <cfloat>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/codec/codec.h"
#include "common/codec/frame.h"
#include "gtest/gtest.h"
#include "tests/unit/codec/hex_text.h"

namespace thinwire {
namespace {

constexpr char kNote[] =
    "# Written by golden_test --rewrite. Old bytes must stay readable: change it only with a new codec id.\n";

struct FrameCase {
  const char* name;
  const char* codec;
  std::vector<float> values;
  uint16_t exact_blocks = 0;
};

// Two scale groups of 64 and a bit, the second a hundredth of the first.
std::vector<float> TwoGroups() {
  std::vector<float> values;
  for (int i = 0; i < 70; ++i) values.push_back(static_cast<float>(i % 7 - 3) / (i < 64 ? 2.0f : 256.0f));
  return values;
}

// Ties, subnormals, zeros of both signs, saturation.
std::vector<FrameCase> FrameCases() {
  const float tiny = std::numeric_limits<float>::denorm_min();
  return {
      {"fp32", "fp32", {0.0f, -0.0f, 1.0f, -2.5f, FLT_MAX, -FLT_MIN, tiny}},
      {"fp32_empty", "fp32", {}},
      {"s1e3m7_pow2", "s1e3m7:pow2", {0.0f, -0.0f, 1.0f, -2.5f, 40.0f, 0.001f, 0.3f, -0.3f, 1.00390625f, 1.01171875f}},
      {"s1e3m7_zeros", "s1e3m7:pow2", {0.0f, -0.0f, 0.0f}},
      {"s1e3m7_tiny", "s1e3m7:pow2", {tiny, -2 * tiny, FLT_MIN, 0.0f}},
      {"s1e3m7_huge", "s1e3m7:pow2", {FLT_MAX, -FLT_MAX, 1.0f}},
      {"s1e2m0_none", "s1e2m0:none", {0.5f, 0.51f, 1.5f, -3.0f, 3.01f, 100.0f, 0.0f, -0.2f, 1.0f}},
      {"s1e5m10_absmax", "s1e5m10:absmax", {1.0f, -1.0f / 3, 0.1f, 1e-6f, 1e-9f, 0.0f}},
      {"s1e4m14_pow2", "s1e4m14:pow2", {3.14159274f, -2.71828175f, 1e-3f, -1e-5f, 300.0f}},
      {"s1e8m7_none", "s1e8m7:none", {1.0f, -3.14159274f, 1e-40f, FLT_MAX, -tiny}},
      {"s1e8m23_none", "s1e8m23:none", {0.1f, -0.0f, tiny, -FLT_MAX}},
      {"s1e7m23_absmax", "s1e7m23:absmax", {0.1f, -123.456f, 1e-30f}},
      {"blocks_s1e3m7",
       "s1e3m7/4096",
       {0.0f, -0.0f, 1.0f, -2.5f, 40.0f, 0.001f, 0.3f, -0.3f, 1.00390625f, 1.01171875f}},
      {"blocks_exact", "s1e3m7/4096", {0.1f, -0.2f}, 1},
      {"blocks_correction", "s1e2m1:absmax/4096+truncate+correction", {0.1f, 0.2f, 0.4f, -0.7f, 1.0f}},
      {"blocks_groups", "s1e2m1/64", TwoGroups()},
      {"blocks_none", "s1e5m2:none/4096", {1.0f, -0.1f, 1e9f}},
      {"blocks_zeros", "s1e3m7/4096+correction", {0.0f, 0.0f, -0.0f}},
      {"blocks_empty", "s1e3m7/4096", {}},
  };
}

std::string BitsText(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) absl::StrAppend(&text, " ", absl::Hex(FloatBits(value), absl::kZeroPad8));
  return text;
}

std::string EncodeWith(const char* codec_text, const std::vector<float>& values, uint16_t exact_blocks = 0) {
  const auto spec = CodecSpec::Parse(codec_text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  const std::unique_ptr<Codec> codec = std::move(MakeCodec(*spec)).value();
  TensorScan scan;
  scan.Add(values);
  std::string frame;
  EXPECT_TRUE(codec->EncodePartly(values, *codec->ChooseScale(scan), exact_blocks, &frame).ok());
  return frame;
}

std::string FrameText(const FrameCase& c) {
  const std::string frame = EncodeWith(c.codec, c.values, c.exact_blocks);
  std::vector<float> decoded(c.values.size());
  EXPECT_TRUE(DecodeFrame(frame, absl::MakeSpan(decoded)).ok()) << c.name;
  return absl::StrCat(kNote, "codec: ", c.codec, "\nvalues:", BitsText(c.values), "\ndecoded:", BitsText(decoded),
                      "\nframe:\n", HexTextFromBytes(frame));
}

std::string IntFrameText() {
  std::string frame;
  EncodeIntFrame({0, -1, 1234567890123, std::numeric_limits<int64_t>::min()}, &frame);
  return absl::StrCat(kNote, "codec: int64\nvalues: 0 -1 1234567890123 -9223372036854775808\nframe:\n",
                      HexTextFromBytes(frame));
}

std::string Sealed(std::string frame) {
  const absl::string_view view(frame);
  StoreLittle<uint32_t>(Crc32c(view.substr(kFrameHeaderSize), Crc32c(view.substr(0, 12))), &frame[12]);
  return frame;
}

std::string WithByte(std::string frame, size_t offset, uint8_t value) {
  frame.replace(offset, 1, 1, static_cast<char>(value));
  return frame;
}

GoldenFile Refused(const char* name, const char* code, size_t count, const std::string& frame) {
  return {absl::StrCat("refused/", name, ".txt"),
          absl::StrCat(kNote, "expect: ", code, "\ncount: ", count, "\nframe:\n", HexTextFromBytes(frame))};
}

}  // namespace

std::vector<GoldenFile> GoldenFrames() {
  std::vector<GoldenFile> files;
  for (const FrameCase& c : FrameCases()) files.push_back({absl::StrCat("frames/", c.name, ".txt"), FrameText(c)});
  files.push_back({"frames/int64.txt", IntFrameText()});
  return files;
}

std::vector<GoldenFile> RefusedFrames() {
  const std::string good = EncodeWith("s1e3m7:none", {1.0f, -2.0f, 0.25f});
  const std::string bfloat = EncodeWith("s1e8m7:none", {1.0f, 2.0f});
  const std::string fp32 = EncodeWith("fp32", {1.0f});
  const std::string blocks = EncodeWith("s1e3m7/4096+correction", {1.0f, -2.0f, 0.25f});
  const std::string exact = EncodeWith("s1e3m7/4096", {1.0f}, 1);
  const std::string absmax = EncodeWith("s1e3m7:absmax/64", {1.0f, -2.0f, 0.25f});
  const std::string plain = EncodeWith("s1e3m7:none/4096", {1.0f, -2.0f, 0.25f});
  const std::string last_of_blocks = std::string(1, static_cast<char>(blocks.back() | 0x80));
  const std::string last = std::string(1, static_cast<char>(good.back() | 0x80));
  return {
      Refused("flipped_bit", "DATA_LOSS", 3, WithByte(good, 26, static_cast<uint8_t>(good[26] ^ 0x10))),
      Refused("flipped_codec", "DATA_LOSS", 3, WithByte(good, 1, 9)),
      Refused("wrong_checksum", "DATA_LOSS", 3, WithByte(good, 12, static_cast<uint8_t>(good[12] + 1))),
      Refused("unknown_version", "UNIMPLEMENTED", 3, Sealed(WithByte(good, 0, 2))),
      Refused("unknown_codec", "UNIMPLEMENTED", 3, Sealed(WithByte(good, 1, 255))),
      Refused("unknown_flags", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 2, 1))),
      Refused("truncated_header", "INVALID_ARGUMENT", 3, good.substr(0, 15)),
      Refused("truncated_body", "INVALID_ARGUMENT", 3, good.substr(0, good.size() - 1)),
      Refused("trailing_byte", "INVALID_ARGUMENT", 3, good + '\0'),
      Refused("other_count", "INVALID_ARGUMENT", 4, good),
      Refused("count_beyond_the_body", "INVALID_ARGUMENT", 4, Sealed(WithByte(good, 4, 4))),
      Refused("too_few_exponent_bits", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 16, 1))),
      Refused("too_many_exponent_bits", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 16, 9))),
      Refused("too_many_mantissa_bits", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 17, 24))),
      Refused("unknown_scale_rule", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 18, 3))),
      Refused("reserved_byte", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 19, 1))),
      Refused("scale_without_a_rule", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 23, 0x40))),
      Refused("negative_scale", "INVALID_ARGUMENT", 3, Sealed(WithByte(good, 23, 0xbf))),
      Refused("unused_bits", "INVALID_ARGUMENT", 3, Sealed(good.substr(0, good.size() - 1) + last)),
      Refused("bfloat_infinity", "INVALID_ARGUMENT", 2, Sealed(WithByte(WithByte(bfloat, 24, 0x80), 25, 0x7f))),
      Refused("blocks_unknown_flags", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 19, 3))),
      Refused("blocks_group_of_32", "INVALID_ARGUMENT", 3, Sealed(WithByte(absmax, 20, 5))),
      Refused("blocks_group_of_8192", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 20, 13))),
      Refused("blocks_group_without_scale", "INVALID_ARGUMENT", 3, Sealed(WithByte(plain, 20, 11))),
      Refused("blocks_reserved_byte", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 21, 1))),
      Refused("blocks_exact_beyond_the_last", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 22, 2))),
      Refused("blocks_exact_without_values", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 22, 1))),
      Refused("blocks_scale_of_zero", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 24, 0x81))),
      Refused("blocks_scale_of_infinity", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 24, 0x7f))),
      Refused("blocks_negative_absmax", "INVALID_ARGUMENT", 3, Sealed(WithByte(absmax, 27, 0xbe))),
      Refused("blocks_negative_slope", "INVALID_ARGUMENT", 3, Sealed(WithByte(blocks, 28, 0xbf))),
      Refused("blocks_infinite_offset", "INVALID_ARGUMENT", 3, Sealed(WithByte(WithByte(blocks, 31, 0x80), 32, 0x7f))),
      Refused("blocks_huge_correction", "INVALID_ARGUMENT", 3, Sealed(WithByte(WithByte(blocks, 27, 0x7f), 28, 0x7f))),
      Refused("blocks_unused_bits", "INVALID_ARGUMENT", 3,
              Sealed(blocks.substr(0, blocks.size() - 1) + last_of_blocks)),
      Refused("blocks_exact_nan", "INVALID_ARGUMENT", 1, Sealed(WithByte(WithByte(exact, 26, 0xc0), 27, 0x7f))),
      Refused("blocks_truncated", "INVALID_ARGUMENT", 3, blocks.substr(0, 30)),
      Refused("fp32_nan", "INVALID_ARGUMENT", 1, Sealed(WithByte(WithByte(fp32, 18, 0xc0), 19, 0x7f))),
  };
}

ModelState GoldenModel() {
  auto spec = ModelSpec::Create({{"fc.weight", {2, 3}, DataType::kFloat32, TensorRole::kTrainable},
                                 {"embedding", {2}, DataType::kFloat32, TensorRole::kFrozen},
                                 {"norm.mean", {2}, DataType::kFloat32, TensorRole::kBuffer},
                                 {"norm.steps", {}, DataType::kInt64, TensorRole::kBuffer}});
  EXPECT_TRUE(spec.ok()) << spec.status();
  ModelState state(*spec);
  state.floats[0] = {0.5f, -0.25f, 0.125f, 1.0f, -1.5f, 0.001f};
  state.floats[1] = {7.0f, 8.0f};
  state.floats[2] = {0.1f, -0.2f};
  state.ints[3] = {42};
  return state;
}

std::vector<GoldenFile> GoldenPayloads(const std::string& directory) {
  const CodecSpec small = CodecSpec::Float(3, 7, ScaleRule::kPowerOfTwo);
  const std::vector<std::pair<std::string, EncodeOptions>> cases = {
      {"model_fp32", {Representation::kModel, CodecSpec::Fp32(), {}}},
      {"model_s1e3m7", {Representation::kModel, small, {}}},
      {"delta_s1e3m7", {Representation::kDelta, small, Sha256("a base")}},
      {"model_blocks", {Representation::kModel, *CodecSpec::Parse("s1e3m7/4096+correction"), {}}},
      {"frozen_fp32", {Representation::kFrozen, CodecSpec::Fp32(), {}}},
  };
  const ModelState state = GoldenModel();
  std::vector<GoldenFile> files;
  for (const auto& [name, options] : cases) {
    ModelStateSource source(state);
    const std::string path = JoinPath(directory, name);
    const auto ref = EncodePayload(state.spec, options, source, path);
    EXPECT_TRUE(ref.ok()) << ref.status();
    const auto bytes = ReadWholeFile(path, 1 << 20);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    files.push_back({absl::StrCat("payloads/", name, ".txt"),
                     absl::StrCat(kNote, "id: ", ref->id.Hex(), "\npayload:\n", HexTextFromBytes(*bytes))});
  }
  return files;
}

}  // namespace thinwire
