// content and its modifiers, pcre, isdataat, bsize, urilen, base64_decode, buffers and transforms.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <memory>

#include "signatures/builder.h"
#include "signatures/keywords.h"

namespace sekisho::signatures {

namespace {

constexpr std::size_t kMaxContent = 65535, kMaxPcre = 8192;
constexpr std::int64_t kMaxOffset = 65535, kMaxDistance = 1024 * 1024;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void limit(std::optional<Operand>& slot, Operand value, std::string_view keyword) {
  if (slot) refuse("{} twice for the same content", keyword);
  slot = value;
}

void add_content(Builder& b, std::string_view value) {
  Content c;
  const std::string_view inside = need_quoted(value, &c.negated, "content");
  c.bytes = decode_content(inside, "content");
  b.add(std::move(c));
}

void uricontent(Builder& b, std::string_view value) {
  if (b.sticky()) refuse("uricontent while a sticky buffer is set: put pkt_data before it");
  add_content(b, value);
  b.move_last_content(Buffer::http_uri, "uricontent");
}

void fast_pattern(Builder& b, std::string_view value) {
  Content& c = b.last_content("fast_pattern");
  if (c.fast_pattern) refuse("fast_pattern twice for the same content");
  c.fast_pattern = true;
  value = trim(value);
  if (value.empty()) return;
  if (value == "only") {
    c.fast_pattern_only = true;
    return;
  }
  const auto parts = split(value, ',');
  if (parts.size() != 2) refuse("fast_pattern: '{}' is neither 'only' nor offset,length", shown(value));
  c.chop_offset = static_cast<std::uint16_t>(need_unsigned(parts[0], 65535, "fast_pattern offset"));
  c.chop_length = static_cast<std::uint16_t>(need_unsigned(parts[1], 65535, "fast_pattern length"));
  if (c.chop_length == 0) refuse("fast_pattern: length 0");
  if (static_cast<std::size_t>(c.chop_offset) + c.chop_length > c.bytes.size())
    refuse("fast_pattern: {},{} lies outside of the content of {} bytes", c.chop_offset, c.chop_length,
           c.bytes.size());
}

// The buffer that a pcre flag of Snort 2 selects.
std::optional<Buffer> pcre_buffer(char flag) {
  switch (flag) {
    case 'U':
      return Buffer::http_uri;
    case 'I':
      return Buffer::http_uri_raw;
    case 'P':
      return Buffer::http_request_body;
    case 'Q':
      return Buffer::http_response_body;
    case 'H':
      return Buffer::http_header;
    case 'D':
      return Buffer::http_header_raw;
    case 'M':
      return Buffer::http_method;
    case 'C':
      return Buffer::http_cookie;
    case 'S':
      return Buffer::http_stat_code;
    case 'Y':
      return Buffer::http_stat_msg;
    case 'V':
      return Buffer::http_user_agent;
    case 'W':
      return Buffer::http_host;
    case 'Z':
      return Buffer::http_host_raw;
    default:
      return std::nullopt;
  }
}

bool has_upper_case(std::string_view pattern) {
  bool escaped = false;
  for (const char c : pattern) {
    if (!escaped && c >= 'A' && c <= 'Z') return true;
    escaped = !escaped && c == '\\';
  }
  return false;
}

void pcre(Builder& b, std::string_view value) {
  Pcre p;
  // The quotes may be missing: pcre:/x/U
  std::string_view inside = trim(value);
  if (inside.starts_with("!")) {
    p.negated = true;
    inside = trim(inside.substr(1));
  }
  if (inside.starts_with("\"")) inside = need_quoted(inside, nullptr, "pcre", true);
  if (inside.size() > kMaxPcre) refuse("pcre of {} bytes: at most {} are accepted", inside.size(), kMaxPcre);
  char delimiter = '/';
  std::size_t start = 0;
  if (inside.size() > 2 && inside[0] == 'm' && inside[1] != '/') {
    delimiter = inside[1];
    start = 1;
  }
  if (inside.size() < start + 2 || inside[start] != delimiter)
    refuse("pcre: the expression must stand between '/'");
  const std::size_t end = inside.rfind(delimiter);
  if (end <= start) refuse("pcre: the closing '{}' is missing", shown(std::string_view(&delimiter, 1)));
  p.pattern = inside.substr(start + 1, end - start - 1);  // \; \" \: mean the same to PCRE2
  p.text = inside;
  std::optional<Buffer> wanted;
  bool rawbytes = false;
  std::string_view flags = inside.substr(end + 1);
  for (const char f : flags) {
    switch (f) {
      case 'i':
        p.caseless = true;
        break;
      case 'm':
        p.multiline = true;
        break;
      case 's':
        p.dotall = true;
        break;
      case 'x':
        p.extended = true;
        break;
      case 'A':
        p.anchored = true;
        break;
      case 'E':
        p.dollar_endonly = true;
        break;
      case 'G':
        p.ungreedy = true;
        break;
      case 'R':
        p.relative = true;
        break;
      case 'B':
        rawbytes = true;
        break;
      case 'O':  // asks to exceed the match limit, which is fixed here
        break;
      default: {
        const auto buffer = pcre_buffer(f);
        if (!buffer) {
          if (f == ',') refuse("pcre: capture into variables is not supported");
          refuse("pcre: unknown flag '{}'", shown(std::string_view(&f, 1)));
        }
        if (wanted && *wanted != *buffer) refuse("pcre: flags of two buffers");
        wanted = buffer;
      }
    }
  }
  if (wanted && rawbytes) refuse("pcre: B (raw bytes) with a flag of another buffer");
  if (wanted == Buffer::http_host && !p.caseless && has_upper_case(p.pattern))
    refuse("pcre: an upper case letter, and http.host is lower case");
  check_pcre(p);
  if (!wanted) {
    b.add(std::move(p));
    return;
  }
  // The body of a response is the file that it carries.
  if (wanted == Buffer::http_response_body && b.current() == Buffer::file_data) wanted = Buffer::file_data;
  if (b.sticky() && b.current() != *wanted)
    refuse("pcre: a flag selects {} while the sticky buffer {} is set", buffer_keyword(*wanted),
           buffer_keyword(b.current()));
  b.need_protocol(AppProtocol::http, "pcre");
  if (b.sticky())
    b.add(std::move(p));
  else
    b.add_to(*wanted, std::move(p));
}

void isdataat(Builder& b, std::string_view value) {
  IsDataAt m;
  value = unquote(value);
  auto parts = split(value, ',');
  if (parts.empty()) refuse("isdataat: a number is missing");
  std::string_view count = parts[0];
  if (count.starts_with("!")) {
    m.negated = true;
    count = trim(count.substr(1));
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i] == "relative") {
      m.relative = true;
    } else if (parts[i] != "rawbytes") {
      refuse("isdataat: unknown option '{}'", shown(parts[i]));
    }
  }
  m.count = b.operand(count, 0, 65535, "isdataat");
  b.add_after(m, m.relative);
}

void bsize(Builder& b, std::string_view value) {
  if (!b.sticky()) refuse("bsize needs a sticky buffer before it");
  b.add(BufferSize{need_range(value, 0xffffffffffffull, "bsize")});
}

void urilen(Builder& b, std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.empty() || parts.size() > 2) refuse("urilen: '{}' is not a length", shown(value));
  Buffer buffer = Buffer::http_uri;
  if (parts.size() == 2) {
    if (parts[1] == "raw")
      buffer = Buffer::http_uri_raw;
    else if (parts[1] != "norm")
      refuse("urilen: '{}' is neither raw nor norm", shown(parts[1]));
  }
  b.need_protocol(AppProtocol::http, "urilen");
  b.add_to(buffer, BufferSize{need_range(parts[0], 65535, "urilen")});
}

void base64_decode(Builder& b, std::string_view value) {
  Base64Decode m;
  for (const auto part : split(value, ',')) {
    const auto w = words(part);
    if (w.size() == 2 && w[0] == "bytes") {
      m.bytes = static_cast<std::uint32_t>(need_unsigned(w[1], 0xffffffff, "base64_decode bytes"));
      if (m.bytes == 0) refuse("base64_decode: bytes 0");
    } else if (w.size() == 2 && w[0] == "offset") {
      m.offset = static_cast<std::uint32_t>(need_unsigned(w[1], 65535, "base64_decode offset"));
    } else if (w.size() == 1 && w[0] == "relative") {
      m.relative = true;
    } else {
      refuse("base64_decode: unknown option '{}'", shown(part));
    }
  }
  if (b.base64_decoded) refuse("base64_decode twice");
  b.base64_decoded = true;
  b.add_after(m, m.relative);
}

void absent(Builder& b, std::string_view value) {
  if (!b.sticky()) refuse("absent needs a sticky buffer before it");
  if (!value.empty() && value != "or_else") refuse("absent: unknown option '{}'", shown(value));
  b.add(Absent{value == "or_else"});
}

void asn1(Builder& b, std::string_view value) {
  Asn1 m;
  for (const auto part : split(value, ',')) {
    const auto w = words(part);
    if (w.size() == 1 && w[0] == "bitstring_overflow")
      m.bitstring_overflow = true;
    else if (w.size() == 1 && w[0] == "double_overflow")
      m.double_overflow = true;
    else if (w.size() == 2 && w[0] == "oversize_length")
      m.oversize_length = static_cast<std::uint32_t>(need_unsigned(w[1], 0xffffffff, "asn1"));
    else if (w.size() == 2 && w[0] == "absolute_offset")
      m.absolute_offset = static_cast<std::int32_t>(need_signed(w[1], 0, 65535, "asn1"));
    else if (w.size() == 2 && w[0] == "relative_offset")
      m.relative_offset = static_cast<std::int32_t>(need_signed(w[1], -65535, 65535, "asn1"));
    else
      refuse("asn1: unknown option '{}'", shown(part));
  }
  if (m.absolute_offset && m.relative_offset) refuse("asn1: absolute and relative offset");
  if (!m.bitstring_overflow && !m.double_overflow && !m.oversize_length) refuse("asn1: nothing to check");
  b.add(m);
}

void no_value(std::string_view name, std::string_view value) {
  if (!value.empty()) refuse("{} takes no value", name);
}

}  // namespace

std::string_view need_quoted(std::string_view value, bool* negated, std::string_view what,
                             bool inner_quotes) {
  value = trim(value);
  if (negated != nullptr && value.starts_with("!")) {
    *negated = true;
    value = trim(value.substr(1));
  }
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') {
    if (value.starts_with("\"") && value.find("\",") != value.npos)
      refuse("{}: options behind a comma are Snort 3 syntax", what);
    refuse("{}: the value must stand in double quotes", what);
  }
  value = value.substr(1, value.size() - 2);
  if (inner_quotes) return value;
  bool escaped = false;
  for (const char c : value) {
    if (!escaped && c == '"') {
      if (value.find("\",") != value.npos) refuse("{}: options behind a comma are Snort 3 syntax", what);
      refuse("{}: an unescaped '\"' inside", what);
    }
    escaped = !escaped && c == '\\';
  }
  if (escaped) refuse("{}: the closing '\"' is escaped", what);
  return value;
}

std::string decode_content(std::string_view s, std::string_view what) {
  std::string out;
  bool in_hex = false;
  int high = -1;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (c == '|') {
      if (in_hex && high >= 0) refuse("{}: an odd number of hexadecimal digits between '|'", what);
      in_hex = !in_hex;
    } else if (in_hex) {
      if (c == ' ') continue;
      const int digit = hex_digit(c);
      if (digit < 0) refuse("{}: '{}' is not a hexadecimal digit", what, shown(s.substr(i, 1)));
      if (high < 0) {
        high = digit;
      } else {
        out += static_cast<char>(high << 4 | digit);
        high = -1;
      }
    } else if (c == '\\') {
      if (i + 1 == s.size()) refuse("{}: '\\' at the end", what);
      const char next = s[++i];
      if (next != '\\' && next != ';' && next != '"' && next != ':')
        refuse("{}: '\\{}' is no escape: only \\\\ \\; \\\" \\: are", what, shown(s.substr(i, 1)));
      out += next;
    } else if (c == '"' || c == ';') {
      refuse("{}: an unescaped '{}' inside", what, shown(s.substr(i, 1)));
    } else {
      out += c;
    }
  }
  if (in_hex) refuse("{}: the closing '|' is missing", what);
  if (out.empty()) refuse("{}: it is empty", what);
  if (out.size() > kMaxContent)
    refuse("{}: {} bytes, at most {} are accepted", what, out.size(), kMaxContent);
  return out;
}

void check_pcre(const Pcre& p) {
  std::uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
  if (p.caseless) options |= PCRE2_CASELESS;
  if (p.multiline) options |= PCRE2_MULTILINE;
  if (p.dotall) options |= PCRE2_DOTALL;
  if (p.extended) options |= PCRE2_EXTENDED;
  if (p.anchored) options |= PCRE2_ANCHORED;
  if (p.dollar_endonly) options |= PCRE2_DOLLAR_ENDONLY;
  if (p.ungreedy) options |= PCRE2_UNGREEDY;
  static const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context = [] {
    std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> c(
        pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
    pcre2_set_max_pattern_length(c.get(), kMaxPcre);
    pcre2_set_parens_nest_limit(c.get(), 100);
    return c;
  }();
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(p.pattern.data()), p.pattern.size(), options,
                                   &error, &at, context.get());
  if (code != nullptr) {
    pcre2_code_free(code);
    return;
  }
  PCRE2_UCHAR message[160];
  pcre2_get_error_message(error, message, sizeof message);
  refuse("pcre does not compile: {} at offset {}", reinterpret_cast<const char*>(message), at);
}

bool apply_content(Builder& b, std::string_view name, std::string_view value) {
  if (name == "content") {
    add_content(b, value);
  } else if (name == "uricontent") {
    uricontent(b, value);
  } else if (name == "nocase") {
    no_value(name, value);
    Content& c = b.last_content(name);
    if (c.nocase) refuse("nocase twice for the same content");
    c.nocase = true;
  } else if (name == "rawbytes") {  // contents see the bytes as they are anyway
    no_value(name, value);
    b.last_content(name);
  } else if (name == "offset" || name == "depth") {
    Content& c = b.last_content(name);
    if (c.starts_with) refuse("{} with startswith", name);
    if (c.relative()) refuse("{} with distance or within: a content is absolute or relative", name);
    limit(name == "offset" ? c.offset : c.depth, b.operand(value, 0, kMaxOffset, name), name);
    if (name == "depth" && !c.depth->is_variable() &&
        c.depth->value < static_cast<std::int64_t>(c.bytes.size()))
      refuse("depth {} is less than the length of the content, {}", c.depth->value, c.bytes.size());
  } else if (name == "distance" || name == "within") {
    Content& c = b.last_content(name);
    if (c.starts_with) refuse("{} with startswith", name);
    if (c.offset || c.depth) refuse("{} with offset or depth: a content is absolute or relative", name);
    limit(name == "distance" ? c.distance : c.within,
          b.operand(value, name == "distance" ? -kMaxDistance : 0, kMaxDistance, name), name);
    if (name == "within" && !c.within->is_variable() &&
        c.within->value < static_cast<std::int64_t>(c.bytes.size()))
      refuse("within {} is less than the length of the content, {}", c.within->value, c.bytes.size());
  } else if (name == "startswith") {
    no_value(name, value);
    Content& c = b.last_content(name);
    if (c.starts_with) refuse("startswith twice for the same content");
    if (c.offset || c.depth || c.relative()) refuse("startswith with offset, depth, distance or within");
    c.starts_with = true;
    c.offset = Operand{};
    c.depth = Operand{static_cast<std::int64_t>(c.bytes.size()), -1};
  } else if (name == "endswith") {
    no_value(name, value);
    Content& c = b.last_content(name);
    if (c.ends_with) refuse("endswith twice for the same content");
    c.ends_with = true;
  } else if (name == "fast_pattern") {
    fast_pattern(b, value);
  } else if (name == "pcre") {
    pcre(b, value);
  } else if (name == "isdataat") {
    isdataat(b, value);
  } else if (name == "bsize") {
    bsize(b, value);
  } else if (name == "urilen") {
    urilen(b, value);
  } else if (name == "base64_decode") {
    base64_decode(b, value);
  } else if (name == "absent") {
    absent(b, value);
  } else if (name == "asn1") {
    asn1(b, value);
  } else {
    return false;
  }
  return true;
}

}  // namespace sekisho::signatures
