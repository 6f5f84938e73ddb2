// byte_test, byte_jump, byte_extract, byte_math.
#include "signatures/builder.h"

namespace sekisho::signatures {

namespace {

struct Common {  // options that all four share
  bool relative = false, has_endian = false, string = false, has_digits = false, has_multiplier = false;
  Endian endian = Endian::big;
  Digits digits = Digits::raw;
  std::uint32_t multiplier = 1;
  std::optional<std::uint32_t> bitmask;
};

void set_endian(Common& c, Endian e, std::string_view keyword) {
  if (c.has_endian) refuse("{}: byte order twice", keyword);
  c.has_endian = true;
  c.endian = e;
}

void set_digits(Common& c, std::string_view base, std::string_view keyword) {
  if (c.has_digits) refuse("{}: number base twice", keyword);
  c.has_digits = true;
  if (base == "hex")
    c.digits = Digits::hex;
  else if (base == "dec")
    c.digits = Digits::dec;
  else if (base == "oct")
    c.digits = Digits::oct;
  else
    refuse("{}: '{}' is no number base", keyword, shown(base));
}

// True if `part` was one of the shared options.
bool shared_option(Builder& b, Common& c, std::string_view part, std::string_view keyword) {
  const auto w = words(part);
  const std::string first = w.empty() ? std::string() : lower(w[0]);
  if (w.size() == 1 && first == "relative") {
    if (c.relative) refuse("{}: relative twice", keyword);
    c.relative = true;
  } else if (w.size() == 1 && (first == "big" || first == "little")) {
    set_endian(c, first == "big" ? Endian::big : Endian::little, keyword);
  } else if (w.size() == 2 && first == "endian") {
    const std::string e = lower(w[1]);
    if (e != "big" && e != "little" && e != "dce") refuse("{}: '{}' is no byte order", keyword, shown(w[1]));
    set_endian(c, e == "big" ? Endian::big : e == "little" ? Endian::little : Endian::dce, keyword);
    if (e == "dce") b.need_protocol(AppProtocol::dcerpc, keyword);
  } else if (w.size() == 1 && first == "dce") {
    set_endian(c, Endian::dce, keyword);
    b.need_protocol(AppProtocol::dcerpc, keyword);
  } else if (first == "string" && w.size() <= 2) {
    if (c.string) refuse("{}: string twice", keyword);
    c.string = true;
    if (w.size() == 2) set_digits(c, lower(w[1]), keyword);
  } else if (w.size() == 1 && (first == "hex" || first == "dec" || first == "oct")) {
    set_digits(c, first, keyword);
  } else if (w.size() == 2 && first == "bitmask") {
    if (c.bitmask) refuse("{}: bitmask twice", keyword);
    std::string_view mask = w[1];
    std::string with_prefix =
        mask.starts_with("0x") || mask.starts_with("0X") ? std::string(mask) : fmt::format("0x{}", mask);
    c.bitmask = static_cast<std::uint32_t>(need_unsigned(with_prefix, 0xffffffff, "bitmask"));
    if (*c.bitmask == 0) refuse("{}: bitmask 0", keyword);
  } else {
    return false;
  }
  return true;
}

void finish(Common& c, std::string_view keyword) {
  if (c.has_digits && !c.string) refuse("{}: a number base without string", keyword);
  if (c.string && !c.has_digits) c.digits = Digits::dec;
  // A byte order beside string says nothing about digits: Suricata accepts it too.
}

void check_bytes(const Operand& bytes, const Common& c, std::int64_t raw_max, bool zero,
                 std::string_view keyword) {
  if (bytes.is_variable()) return;
  const std::int64_t max = !c.string ? raw_max : 23;
  if (bytes.value > max || bytes.value < (zero || c.string ? 0 : 1))
    refuse("{}: {} bytes cannot be read{}", keyword, bytes.value, c.string ? " as text" : "");
}

// C's strtoul: 0x hexadecimal, a leading 0 octal.
std::uint64_t c_number(std::string_view s, std::string_view what) {
  if (s.size() > 1 && s[0] == '0' && s[1] != 'x' && s[1] != 'X') {
    std::uint64_t v = 0;
    for (const char c : s) {
      if (c < '0' || c > '7' || v >> 61 != 0) refuse("{}: '{}' is not an octal number", what, shown(s));
      v = v * 8 + static_cast<std::uint64_t>(c - '0');
    }
    return v;
  }
  return need_unsigned(s, ~0ull, what);
}

Operand value_operand(const Builder& b, std::string_view s, std::string_view what) {
  for (std::size_t i = 0; i < b.sig.variables.size(); ++i)
    if (b.sig.variables[i] == s) return {0, static_cast<std::int32_t>(i)};
  if (s.empty() || s[0] < '0' || s[0] > '9')
    refuse("{}: no byte_extract or byte_math before it sets '{}'", what, shown(s));
  return {static_cast<std::int64_t>(c_number(s, what)), -1};
}

void byte_test(Builder& b, std::string_view value) {
  ByteTest m;
  Common c;
  const auto parts = split(value, ',');
  if (parts.size() < 4) refuse("byte_test: bytes, operator, value and offset are needed");
  std::string_view op = parts[1];
  if (op.starts_with("!")) {
    m.negated = true;
    op = trim(op.substr(1));
  }
  if (op == "=" || (op.empty() && m.negated))
    m.op = ByteTest::Op::equal;
  else if (op == "<")
    m.op = ByteTest::Op::less;
  else if (op == ">")
    m.op = ByteTest::Op::greater;
  else if (op == "<=")
    m.op = ByteTest::Op::less_equal;
  else if (op == ">=")
    m.op = ByteTest::Op::greater_equal;
  else if (op == "&")
    m.op = ByteTest::Op::bit_and;
  else if (op == "^")
    m.op = ByteTest::Op::bit_xor;
  else
    refuse("byte_test: '{}' is no operator", shown(parts[1]));
  m.value = value_operand(b, parts[2], "byte_test value");
  m.offset = b.operand(parts[3], -65535, 65535, "byte_test offset");
  for (std::size_t i = 4; i < parts.size(); ++i)
    if (!shared_option(b, c, parts[i], "byte_test"))
      refuse("byte_test: unknown option '{}'", shown(parts[i]));
  finish(c, "byte_test");
  m.bytes = b.operand(parts[0], 0, 1 << 20, "byte_test bytes");
  check_bytes(m.bytes, c, 8, false, "byte_test");
  m.relative = c.relative;
  m.endian = c.endian;
  m.digits = c.digits;
  m.bitmask = c.bitmask;
  b.add_after(m, m.relative);
}

void byte_jump(Builder& b, std::string_view value) {
  ByteJump m;
  Common c;
  const auto parts = split(value, ',');
  if (parts.size() < 2) refuse("byte_jump: bytes and offset are needed");
  bool has_post = false;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (shared_option(b, c, parts[i], "byte_jump")) continue;
    const auto w = words(parts[i]);
    if (w.size() == 1 && w[0] == "align")
      m.align = true;
    else if (w.size() == 1 && w[0] == "from_beginning")
      m.from_beginning = true;
    else if (w.size() == 1 && w[0] == "from_end")
      m.from_end = true;
    else if (w.size() == 2 && w[0] == "multiplier")
      m.multiplier = static_cast<std::uint32_t>(need_unsigned(w[1], 65535, "byte_jump multiplier"));
    else if (w.size() == 2 && w[0] == "post_offset" && !has_post) {
      m.post_offset = b.operand(w[1], -65535, 65535, "byte_jump post_offset");
      has_post = true;
    } else
      refuse("byte_jump: unknown option '{}'", shown(parts[i]));
  }
  finish(c, "byte_jump");
  if (m.from_beginning && m.from_end) refuse("byte_jump: from_beginning and from_end");
  if (m.multiplier == 0) refuse("byte_jump: multiplier 0");
  m.bytes = b.operand(parts[0], 0, 1 << 20, "byte_jump bytes");
  m.offset = b.operand(parts[1], -65535, 65535, "byte_jump offset");
  check_bytes(m.bytes, c, 8, true, "byte_jump");
  m.relative = c.relative;
  m.endian = c.endian;
  m.digits = c.digits;
  m.bitmask = c.bitmask;
  b.add_after(m, m.relative);
}

void byte_extract(Builder& b, std::string_view value) {
  ByteExtract m;
  Common c;
  const auto parts = split(value, ',');
  if (parts.size() < 3) refuse("byte_extract: bytes, offset and a name are needed");
  for (std::size_t i = 3; i < parts.size(); ++i) {
    if (shared_option(b, c, parts[i], "byte_extract")) continue;
    const auto w = words(parts[i]);
    if (w.size() == 2 && w[0] == "align") {
      m.align = static_cast<std::uint8_t>(need_unsigned(w[1], 4, "byte_extract align"));
      if (m.align != 2 && m.align != 4) refuse("byte_extract: align must be 2 or 4");
    } else if (w.size() == 2 && w[0] == "multiplier") {
      m.multiplier = static_cast<std::uint32_t>(need_unsigned(w[1], 65535, "byte_extract multiplier"));
      if (m.multiplier == 0) refuse("byte_extract: multiplier 0");
    } else {
      refuse("byte_extract: unknown option '{}'", shown(parts[i]));
    }
  }
  finish(c, "byte_extract");
  m.bytes = {need_signed(parts[0], 0, 23, "byte_extract bytes"), -1};
  m.offset = b.operand(parts[1], -65535, 65535, "byte_extract offset");
  check_bytes(m.bytes, c, 8, false, "byte_extract");
  m.relative = c.relative;
  m.endian = c.endian;
  m.digits = c.digits;
  m.bitmask = c.bitmask;
  m.result = b.define_variable(parts[2]);
  b.add_after(m, m.relative);
}

void byte_math(Builder& b, std::string_view value) {
  ByteMath m;
  Common c;
  bool bytes = false, offset = false, oper = false, right = false, result = false;
  std::string_view name;
  const auto once = [](bool& seen, std::string_view what) {
    if (seen) refuse("byte_math: {} twice", what);
    seen = true;
  };
  for (const auto part : split(value, ',')) {
    if (shared_option(b, c, part, "byte_math")) continue;
    const auto w = words(part);
    if (w.size() != 2) refuse("byte_math: unknown option '{}'", shown(part));
    if (w[0] == "bytes") {
      once(bytes, "bytes");
      m.bytes = b.operand(w[1], 1, 23, "byte_math bytes");
    } else if (w[0] == "offset") {
      once(offset, "offset");
      m.offset = b.operand(w[1], -65535, 65535, "byte_math offset");
    } else if (w[0] == "oper") {
      once(oper, "oper");
      static constexpr std::string_view kOps[] = {"+", "-", "*", "/", "<<", ">>"};
      std::size_t i = 0;
      while (i < std::size(kOps) && kOps[i] != w[1]) ++i;
      if (i == std::size(kOps)) refuse("byte_math: '{}' is no operator", shown(w[1]));
      m.op = static_cast<ByteMath::Op>(i);
    } else if (w[0] == "rvalue") {
      once(right, "rvalue");
      m.right = value_operand(b, w[1], "byte_math rvalue");
      if (!m.right.is_variable() && m.right.value > 0xffffffff)
        refuse("byte_math: rvalue {} is too large", m.right.value);
    } else if (w[0] == "result") {
      once(result, "result");
      name = w[1];
    } else {
      refuse("byte_math: unknown option '{}'", shown(part));
    }
  }
  finish(c, "byte_math");
  if (!bytes || !offset || !oper || !right || !result)
    refuse("byte_math: bytes, offset, oper, rvalue and result are all needed");
  if (m.op == ByteMath::Op::divide && !m.right.is_variable() && m.right.value == 0)
    refuse("byte_math: division by 0");
  if ((m.op == ByteMath::Op::shift_left || m.op == ByteMath::Op::shift_right) &&
      ((!c.string && !m.bytes.is_variable() && m.bytes.value > 4) ||
       (!m.right.is_variable() && m.right.value > 63)))
    refuse("byte_math: a shift needs at most 4 bytes and less than 64 places");
  check_bytes(m.bytes, c, 10, false, "byte_math");
  if (!m.bytes.is_variable() && !c.string && m.bytes.value > 8)
    refuse("byte_math: {} bytes cannot be read", m.bytes.value);
  m.relative = c.relative;
  m.endian = c.endian;
  m.digits = c.digits;
  m.bitmask = c.bitmask;
  m.result = b.define_variable(name);
  b.add_after(m, m.relative);
}

}  // namespace

bool apply_bytes(Builder& b, std::string_view name, std::string_view value) {
  if (name == "byte_test")
    byte_test(b, value);
  else if (name == "byte_jump")
    byte_jump(b, value);
  else if (name == "byte_extract")
    byte_extract(b, value);
  else if (name == "byte_math")
    byte_math(b, value);
  else
    return false;
  return true;
}

}  // namespace sekisho::signatures
