// Collects every fault of a configuration file, each with the line it stands on.
#ifndef THINWIRE_SERVER_CONFIG_CONFIG_ERRORS_H_
#define THINWIRE_SERVER_CONFIG_CONFIG_ERRORS_H_

#include <google/protobuf/text_format.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace thinwire {

// Not thread-safe. `tree` and `root` must outlive it.
class ConfigErrors {
 public:
  // `file` stands for the file in messages; `tree` holds the positions of fields that the parser saw in a message of
  // type `root`.
  ConfigErrors(std::string file, const google::protobuf::TextFormat::ParseInfoTree* tree,
               const google::protobuf::Descriptor* root)
      : file_(std::move(file)), tree_(tree), root_(root) {}

  // `path` is the field as written in the file, e.g. "round.clients". The line is that of the field, or of the nearest
  // message around it that the file has.
  void Add(absl::string_view path, absl::string_view message);
  void AddAt(int line, absl::string_view message);
  bool empty() const { return lines_.empty(); }
  // INVALID_ARGUMENT with one error a line, in the order of the file; OK if there are none.
  absl::Status ToStatus() const;

 private:
  struct Line {
    int number;
    std::string text;
  };
  int FindLine(absl::string_view path) const;

  std::string file_;
  const google::protobuf::TextFormat::ParseInfoTree* tree_;
  const google::protobuf::Descriptor* root_;
  std::vector<Line> lines_;
};

}  // namespace thinwire

#endif  // THINWIRE_SERVER_CONFIG_CONFIG_ERRORS_H_
