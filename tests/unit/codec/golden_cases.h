// What the golden files under tests/golden are made of.
#ifndef THINWIRE_TESTS_UNIT_CODEC_GOLDEN_CASES_H_
#define THINWIRE_TESTS_UNIT_CODEC_GOLDEN_CASES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/codec/payload.h"
#include "common/tensor/model_state.h"

namespace thinwire {

// A file and the content that it must have.
struct GoldenFile {
  std::string name;  // below tests/golden
  std::string text;
};

// tests/golden/frames: values, codec, frame, and what the frame decodes to.
std::vector<GoldenFile> GoldenFrames();
// tests/golden/refused: frames that must be refused, with the code.
std::vector<GoldenFile> RefusedFrames();
// tests/golden/payloads: whole payload files of GoldenModel(). `directory` is for scratch files.
std::vector<GoldenFile> GoldenPayloads(const std::string& directory);
// The model of the golden payloads: a weight, a frozen tensor, and a float and an integer buffer.
ModelState GoldenModel();

}  // namespace thinwire

#endif  // THINWIRE_TESTS_UNIT_CODEC_GOLDEN_CASES_H_
