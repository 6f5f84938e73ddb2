// CSV (RFC 4180): records of fields, each with its place. LF is taken like CRLF; blank lines are skipped.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/model.h"

namespace sekisho::control {

struct CsvField {
  std::string text;
  Position at;
};
using CsvRecord = std::vector<CsvField>;

// One record at a time.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {}
  // Nothing at the end of the text, and after a fault.
  std::optional<CsvRecord> next();
  const std::optional<Diagnostic>& fault() const { return fault_; }

 private:
  bool done() const { return at_ >= text_.size(); }
  void step();
  bool skip_line_end();
  bool quoted_field(std::string& out);
  bool plain_field(std::string& out);
  bool stop(Position at, std::string what, std::string expected);
  std::string_view text_;
  std::size_t at_ = 0;
  Position place_{0, 1, 1};
  std::optional<Diagnostic> fault_;
};

// The place of the first byte that is not UTF-8 (RFC 3629).
std::optional<Position> utf8_fault(std::string_view text);

}  // namespace sekisho::control
