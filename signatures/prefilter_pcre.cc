// Mandatory literals of a PCRE pattern: runs of plain characters at its top level. Whatever is not understood
// ends a run; what could change the meaning of all of it gives nothing.
#include <cctype>

#include "signatures/prefilter.h"

namespace sekisho::signatures {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Reader {
 public:
  Reader(std::string_view text, std::size_t at_least) : s_(text), at_least_(at_least) {}

  // False: nothing can be said.
  bool read(std::string& best, bool& nocase) {
    while (at_ < s_.size()) {
      const char c = s_[at_];
      switch (c) {
        case '|':
          return false;  // an alternative to everything
        case '(':
          end_run();
          if (!skip_group()) return false;
          skip_quantifier();
          break;
        case ')':
          return false;
        case '[':
          end_run();
          if (!skip_class()) return false;
          skip_quantifier();
          break;
        case '^':
        case '$':
        case '.':
          end_run();
          ++at_;
          skip_quantifier();
          break;
        case '\\':
          if (!escape()) return false;
          break;
        default:
          ++at_;
          plain(c);
      }
    }
    end_run();
    best = best_;
    nocase = nocase_;
    return best.size() >= at_least_;
  }

 private:
  void end_run() {
    if (run_.size() > best_.size()) best_ = run_;
    run_.clear();
  }
  // Appends c unless its quantifier allows none of it; a quantifier ends the run.
  void plain(char c) {
    if (at_ >= s_.size()) {
      run_ += c;
      return;
    }
    switch (s_[at_]) {
      case '?':
      case '*':
        end_run();
        skip_quantifier();
        break;
      case '+':
        run_ += c;
        end_run();
        skip_quantifier();
        break;
      case '{':
        // A count, or a plain brace: both end the run; the character is left out.
        end_run();
        skip_quantifier();
        break;
      default:
        run_ += c;
    }
  }
  // Quantifiers may stand on quantifiers: a{2}{3}, a+?, a*+.
  void skip_quantifier() {
    while (at_ < s_.size()) {
      if (s_[at_] == '{') {
        std::size_t i = at_ + 1;
        while (i < s_.size() &&
               (std::isdigit(static_cast<unsigned char>(s_[i])) || s_[i] == ',' || s_[i] == ' '))
          ++i;
        if (i >= s_.size() || s_[i] != '}') {
          ++at_;  // a plain brace
          return;
        }
        at_ = i + 1;
      } else if (s_[at_] == '?' || s_[at_] == '*' || s_[at_] == '+') {
        ++at_;
      } else {
        return;
      }
    }
  }
  bool skip_class() {
    ++at_;
    if (at_ < s_.size() && s_[at_] == '^') ++at_;
    if (at_ < s_.size() && s_[at_] == ']') ++at_;
    for (; at_ < s_.size(); ++at_) {
      if (s_[at_] == '\\') {
        if (at_ + 1 < s_.size() && (s_[at_ + 1] == 'Q' || s_[at_ + 1] == 'E')) return false;
        ++at_;
      } else if (s_[at_] == '[' && at_ + 1 < s_.size() &&
                 (s_[at_ + 1] == ':' || s_[at_ + 1] == '.' || s_[at_ + 1] == '=')) {
        const char close[] = {s_[at_ + 1], ']', 0};
        const std::size_t end = s_.find(close, at_ + 2);
        if (end != std::string_view::npos) at_ = end + 1;
      } else if (s_[at_] == ']') {
        ++at_;
        return true;
      }
    }
    return false;
  }
  bool skip_group() {
    int depth = 0;
    while (at_ < s_.size()) {
      const char c = s_[at_];
      if (c == '(') {
        ++depth;
        ++at_;
        if (at_ < s_.size() && s_[at_] == '*') return false;  // verbs
        if (at_ < s_.size() && s_[at_] == '?') {
          // Options may change what follows: only case is understood.
          std::size_t i = at_ + 1;
          if (i < s_.size() && s_[i] == '#') return false;
          for (; i < s_.size() &&
                 (std::isalpha(static_cast<unsigned char>(s_[i])) || s_[i] == '-' || s_[i] == '^');
               ++i) {
            if (s_[i] == 'P') break;  // a name
            if (s_[i] == 'i') nocase_ = true;
            if (s_[i] == 'x') return false;
          }
        }
      } else if (c == ')') {
        ++at_;
        if (--depth == 0) return true;
      } else if (c == '[') {
        if (!skip_class()) return false;
      } else if (c == '\\') {
        if (at_ + 1 < s_.size() && s_[at_ + 1] == 'Q') return false;
        at_ += 2;
      } else {
        ++at_;
      }
    }
    return false;
  }
  bool escape() {
    if (at_ + 1 >= s_.size()) return false;
    const char c = s_[at_ + 1];
    at_ += 2;
    if (!std::isalnum(static_cast<unsigned char>(c))) {
      plain(c);
      return true;
    }
    switch (c) {
      case 'x': {
        const int a = at_ < s_.size() ? hex_digit(s_[at_]) : -1;
        const int b = at_ + 1 < s_.size() ? hex_digit(s_[at_ + 1]) : -1;
        if (a < 0 || b < 0) return false;
        at_ += 2;
        plain(static_cast<char>(a * 16 + b));
        return true;
      }
      case 'r':
        plain('\r');
        return true;
      case 'n':
        plain('\n');
        return true;
      case 't':
        plain('\t');
        return true;
      case 'd':
      case 'D':
      case 's':
      case 'S':
      case 'w':
      case 'W':
      case 'b':
      case 'B':
      case 'A':
      case 'Z':
      case 'z':
      case 'R':
      case 'h':
      case 'H':
      case 'v':
      case 'V':
        end_run();
        skip_quantifier();
        return true;
      default:
        if (std::isdigit(static_cast<unsigned char>(c))) {  // back reference or octal
          end_run();
          while (at_ < s_.size() && std::isdigit(static_cast<unsigned char>(s_[at_]))) ++at_;
          skip_quantifier();
          return true;
        }
        return false;
    }
  }

  std::string_view s_;
  std::size_t at_least_, at_ = 0;
  std::string run_, best_;
  bool nocase_ = false;
};

}  // namespace

std::optional<PcreLiteral> mandatory_run(const Pcre& p, std::size_t at_least) {
  if (p.negated || p.extended) return std::nullopt;
  PcreLiteral r;
  Reader reader(p.pattern, at_least);
  if (!reader.read(r.bytes, r.nocase)) return std::nullopt;
  r.nocase = r.nocase || p.caseless;
  return r;
}

}  // namespace sekisho::signatures
