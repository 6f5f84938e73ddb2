#include "control/model/csv.h"

namespace sekisho::control {

void CsvReader::step() {
  if (text_[at_++] == '\n') {
    ++place_.line;
    place_.column = 1;
  } else {
    ++place_.column;
  }
}

bool CsvReader::skip_line_end() {
  if (text_.substr(at_, 2) == "\r\n") step();
  if (done() || text_[at_] != '\n') return false;
  step();
  return true;
}

bool CsvReader::stop(Position at, std::string what, std::string expected) {
  fault_ = Diagnostic{Diagnostic::Severity::error, at, std::move(what), std::move(expected)};
  return false;
}

bool CsvReader::quoted_field(std::string& out) {
  const Position start = place_;
  step();
  while (!done()) {
    if (text_[at_] != '"') {
      out += text_[at_];
      step();
    } else if (text_.substr(at_, 2) == "\"\"") {
      out += '"';
      step();
      step();
    } else {
      step();
      if (done() || text_[at_] == ',' || text_[at_] == '\n' || text_[at_] == '\r') return true;
      return stop(place_, "text after a closing quote",
                  "a comma or the end of the line; a quote inside is written twice");
    }
  }
  return stop(start, "a quote that never closes", "a closing quote");
}

bool CsvReader::plain_field(std::string& out) {
  while (!done() && text_[at_] != ',' && text_[at_] != '\n' && text_.substr(at_, 2) != "\r\n") {
    if (text_[at_] == '"')
      return stop(place_, "a quote inside of a plain field", "the whole field in quotes");
    out += text_[at_];
    step();
  }
  return true;
}

std::optional<CsvRecord> CsvReader::next() {
  while (!fault_ && !done() && skip_line_end()) {
  }
  if (fault_ || done()) return std::nullopt;
  CsvRecord record;
  while (true) {
    CsvField field{"", place_};
    const bool good = !done() && text_[at_] == '"' ? quoted_field(field.text) : plain_field(field.text);
    if (!good) return std::nullopt;
    record.push_back(std::move(field));
    if (done() || skip_line_end()) return record;
    if (text_[at_] != ',') {
      stop(place_, "a carriage return without a line feed", "a comma or the end of the line");
      return std::nullopt;
    }
    step();
  }
}

std::optional<Position> utf8_fault(std::string_view text) {
  Position place{0, 1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned c = byte(i);
    const std::size_t length = c < 0x80                ? 1
                               : c >= 0xc2 && c < 0xe0 ? 2
                               : c >= 0xe0 && c < 0xf0 ? 3
                               : c >= 0xf0 && c < 0xf5 ? 4
                                                       : 0;
    if (length == 0 || i + length > text.size()) return place;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0u) != 0x80u) return place;
    }
    // Overlong forms, surrogates and what is beyond U+10FFFF show in the second byte.
    if (length >= 3) {
      const unsigned d = byte(i + 1);
      if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) ||
          (c == 0xf4 && d > 0x8f)) {
        return place;
      }
    }
    i += length;
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      place.column += static_cast<std::uint32_t>(length);
    }
  }
  return std::nullopt;
}

}  // namespace sekisho::control
