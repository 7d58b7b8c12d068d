#include <functional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/codec/payload.h"
#include "common/tensor/model_spec.h"
#include "gtest/gtest.h"

namespace thinwire {
namespace {

using absl::StatusCode;

ModelSpec Model() {
  auto spec = ModelSpec::Create({{"w", {70000}, DataType::kFloat32, TensorRole::kTrainable},
                                 {"f", {4}, DataType::kFloat32, TensorRole::kFrozen},
                                 {"b", {2}, DataType::kFloat32, TensorRole::kBuffer},
                                 {"n", {}, DataType::kInt64, TensorRole::kBuffer}});
  EXPECT_TRUE(spec.ok());
  return *spec;
}

Manifest Lawful() {
  Manifest manifest;
  manifest.model_id = Model().id();
  manifest.segments = {{0, 0, kBlockValues, 24 + 90112, Sha256("a")},
                       {0, 1, 70000 - kBlockValues, 24 + 6138, Sha256("b")},
                       {2, 0, 2, 16 + 8, Sha256("c")},
                       {3, 0, 1, 16 + 8, Sha256("d")}};
  return manifest;
}

template <typename T>
std::string With(std::string bytes, size_t offset, T value) {
  StoreLittle<T>(value, &bytes[offset]);
  return bytes;
}

StatusCode Parse(absl::string_view bytes) { return ParseManifest(bytes).status().code(); }

TEST(ManifestTest, ComesBackAsItWas) {
  Manifest manifest = Lawful();
  manifest.base_id = Sha256("base");
  const std::string bytes = EncodeManifest(manifest);
  EXPECT_EQ(bytes.size(), ManifestSize(4));
  const auto parsed = ParseManifest(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(EncodeManifest(*parsed), bytes);
  EXPECT_EQ(parsed->base_id, manifest.base_id);
  EXPECT_EQ(parsed->data_size(), 24u + 90112 + 24 + 6138 + 24 + 24);
  EXPECT_TRUE(CheckManifest(*parsed, Model()).ok());
}

TEST(ManifestTest, EveryTruncationAndExtensionIsMalformed) {
  const std::string bytes = EncodeManifest(Lawful());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(Parse(absl::string_view(bytes).substr(0, size)), StatusCode::kInvalidArgument) << size;
  }
  EXPECT_EQ(Parse(bytes + '\0'), StatusCode::kInvalidArgument);
}

TEST(ManifestTest, HeaderFieldsAreChecked) {
  const std::string bytes = EncodeManifest(Lawful());
  EXPECT_EQ(Parse(With<uint8_t>(bytes, 0, 't')), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse(With<uint8_t>(bytes, 4, 2)), StatusCode::kUnimplemented);
  EXPECT_EQ(Parse(With<uint8_t>(bytes, 5, 0)), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse(With<uint8_t>(bytes, 5, 4)), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse(With<uint16_t>(bytes, 6, 1)), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse(With<uint32_t>(bytes, 8, 65535)), StatusCode::kInvalidArgument);
  for (const uint32_t count : {0u, 3u, 5u, 0xffffffffu}) {
    EXPECT_EQ(Parse(With(bytes, 12, count)), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Parse(With<uint64_t>(bytes, 16, 1)), StatusCode::kInvalidArgument);
  EXPECT_EQ(Parse(With<uint64_t>(bytes, 16, ~uint64_t{0})), StatusCode::kInvalidArgument);
}

TEST(ManifestTest, DeltasNameABaseAndFrozenTensorsDoNot) {
  Manifest manifest = Lawful();
  manifest.representation = Representation::kDelta;
  EXPECT_EQ(Parse(EncodeManifest(manifest)), StatusCode::kInvalidArgument);
  manifest.base_id = Sha256("base");
  EXPECT_EQ(Parse(EncodeManifest(manifest)), StatusCode::kOk);
  manifest.representation = Representation::kFrozen;
  EXPECT_EQ(Parse(EncodeManifest(manifest)), StatusCode::kInvalidArgument);
}

TEST(ManifestTest, EntriesAreChecked) {
  const auto parse = [](const std::function<void(std::vector<Segment>*)>& change) {
    Manifest manifest = Lawful();
    change(&manifest.segments);
    return Parse(EncodeManifest(manifest));
  };
  using Segments = std::vector<Segment>*;
  EXPECT_EQ(parse([](Segments s) { (*s)[0].count = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(parse([](Segments s) { (*s)[0].count = kBlockValues + 1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(parse([](Segments s) { (*s)[0].size = 15; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(parse([](Segments s) { (*s)[0].size = 16 + 8 * kBlockValues + 1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(parse([](Segments s) { (*s)[0].block = 1; }), StatusCode::kInvalidArgument);   // twice
  EXPECT_EQ(parse([](Segments s) { (*s)[2].tensor = 0; }), StatusCode::kInvalidArgument);  // backwards
  EXPECT_EQ(parse([](Segments s) { (*s)[3].tensor = 1; }), StatusCode::kInvalidArgument);
}

TEST(ManifestTest, MustFitTheModel) {
  const auto check = [](const std::function<void(Manifest*)>& change) {
    Manifest manifest = Lawful();
    change(&manifest);
    return CheckManifest(manifest, Model()).code();
  };
  EXPECT_EQ(check([](Manifest*) {}), StatusCode::kOk);
  EXPECT_EQ(check([](Manifest* m) { m->model_id = Sha256("other"); }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments.pop_back(); }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments.erase(m->segments.begin()); }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments.push_back({4, 0, 1, 24, {}}); }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments[1].count = 1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments[2].tensor = 1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments[0].size = 24 + 4 * kBlockValues + 4096 + 128 + 1; }),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments[2].size = 23; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->segments[3].size = 25; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(check([](Manifest* m) { m->representation = Representation::kFrozen; }), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace thinwire
