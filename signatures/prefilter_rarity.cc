// A small model of how often bytes stand in the buffers of a hospital's traffic: bits by class of character,
// cheap words that occur together, and little for a byte that repeats. It decides speed only, never results.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "signatures/prefilter.h"

namespace sekisho::signatures {
namespace {

// -log2 of the relative frequency of a..z in English text and markup.
constexpr std::array<double, 26> kLetters = {3.8, 5.6, 4.9, 4.8, 3.5, 5.7, 5.6, 5.2, 3.9, 8.3, 7.2, 4.6, 5.2,
                                             4.0, 3.9, 5.1, 9.0, 4.1, 4.0, 3.6, 5.3, 6.7, 6.0, 7.5, 6.0, 8.6};

using namespace std::string_view_literals;

struct Word {
  std::string_view text;
  double bits;
};
// What stands together so often that its bytes are one event. Lower case.
constexpr Word kHeaderWords[] = {
    {"http/1.", 2},  {"http", 3},      {"http://", 4},    {"https://", 4},   {"www.", 4},
    {"mozilla/", 2}, {"mozilla", 2.5}, {"windows", 3},    {" nt ", 3},       {"compatib", 4},
    {"gecko", 3},    {"applewebk", 3}, {"chrome/", 3},    {"safari/", 3},    {"user-age", 2},
    {"agent: ", 2},  {"accept: ", 2},  {"accept-", 2.5},  {"content-", 2.5}, {"-length", 3},
    {"-type: ", 3},  {"encoding", 3},  {"connecti", 2.5}, {"keep-ali", 3},   {"host: ", 2},
    {"\r\n", 1.5},   {"\r\n\r\n", 3},  {"text/", 3},      {"html", 3.5},     {"applicat", 3},
    {"image/", 4},   {"charset=", 4},  {"utf-8", 4},      {"deflate", 4},    {"gzip", 3.5},
    {"cookie", 3.5}, {"referer", 3.5}, {"cache-co", 3.5}, {"language", 4},   {"en-us", 4},
    {".com", 3.5},   {"linux", 5},     {"server: ", 3.5}, {"date: ", 3.5},   {"get ", 2.5},
    {"post ", 3},    {"200 ok", 2},    {"origin", 4.5},   {"pragma: ", 4.5}};
constexpr Word kTextWords[] = {
    {"http://", 5},   {"https://", 5}, {"http", 4.5},  {"www.", 5.5},   {".com", 5},    {"function", 5},
    {"script", 5},    {"document", 6}, {"return", 6},  {"<div ", 5},    {"</div>", 5},  {"class=\"", 5},
    {"href=\"", 5.5}, {"html", 6},     {"text", 6},    {"style", 6},    {"width", 6.5}, {"this.", 6},
    {"var ", 6},      {"        ", 4}, {".length", 6}, {"the ", 5},     {"ing ", 6},    {"tion", 6},
    {"window", 6.5},  {"type=", 6},    {"name=", 6},   {"value=", 6.5}, {"id=\"", 6},   {"src=\"", 6},
    {".php", 4},      {".html", 5},    {".js", 4.5},   {"index", 4.5},  {"/api/", 5},   {"images/", 5},
    {".php?", 5},     {"?id=", 5.5},   {"admin", 6},   {"login", 6},    {"string", 6},  {"object", 6.5}};
constexpr Word kNameWords[] = {{".com", 1.5},  {".net", 2.5},   {".org", 3},   {"www.", 2},   {".co.", 4},
                               {".info", 4.5}, {".top", 4.5},   {".xyz", 4.5}, {".ru", 4},    {".cn", 4},
                               {".google", 4}, {".microso", 4}, {"cloud", 5},  {"api.", 4.5}, {"cdn", 4.5}};
constexpr Word kTokenWords[] = {{"get", 0.6},    {"post", 1.5}, {"head", 4}, {"put", 5},
                                {"200", 0.6},    {"404", 3},    {"302", 3},  {"http/1.1", 0.3},
                                {"http/1.0", 4}, {"options", 4}};
// Raw streams carry the text protocols too: the words of headers are added to these, a little rarer.
constexpr Word kBinaryWords[] = {
    {"\xffsmb"sv, 7},        {"\xfesmb"sv, 6},
    {"\0\0\0\xffsmb"sv, 8},  {"\1\0\0\1\0\0\0\0\0\0"sv, 7},  // a DNS query's header
    {"\0\1\0\0\1\0\1"sv, 8}, {"get /"sv, 4},
    {"post /"sv, 6},         {"subject:"sv, 9},
    {"mail from"sv, 9},      {"ssh-2.0-"sv, 8},
    {"this program"sv, 11},  {"pragma: "sv, 9}};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

double byte_bits(unsigned char c, Alphabet a, bool nocase) {
  const bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
  if (a == Alphabet::binary) {
    if (c == 0) return 3;
    if (c == 0xff) return 5.5;
    if (letter) return nocase ? 6 : 6.8;
    if (c >= 0x20 && c < 0x7f) return 6.8;
    return 7.6;
  }
  if (letter) {
    const double base = kLetters[(c | 32) - 'a'];
    if (nocase || a == Alphabet::name) return base;
    return c >= 'a' ? base + 0.2 : base + 2.5;
  }
  if (c >= '0' && c <= '9') return a == Alphabet::name ? 6 : 5;
  switch (c) {
    case ' ':
      return a == Alphabet::name ? 12 : 3;
    case '.':
      return a == Alphabet::name ? 2.5 : 5;
    case '-':
    case '/':
      return 4.8;
    case '\r':
    case '\n':
    case ':':
    case ';':
    case '=':
    case ',':
      return 5;
    case '"':
    case '<':
    case '>':
    case '(':
    case ')':
    case '_':
    case '&':
    case '%':
    case '?':
      return 5.5;
    default:
      break;
  }
  if (c >= 0x20 && c < 0x7f) return 7;
  return a == Alphabet::text ? 9 : 12;
}

// Words by their first byte. Tails of words only count at the start of a window, which may cut a word
// anywhere.
class Words {
 public:
  explicit Words(std::span<const Word> words, std::span<const Word> more = {}, double extra = 0) {
    for (const Word& w : words) add(w.text, w.bits);
    for (const Word& w : more) add(w.text, w.bits + extra);
  }
  void cover(std::string_view low, std::size_t i, std::array<double, 65>& best) const {
    look(words_, low, i, best);
    if (i == 0) look(tails_, low, 0, best);
  }
  static const Words& of(Alphabet a) {
    static const Words header(kHeaderWords), text(kTextWords), name(kNameWords), token(kTokenWords),
        binary(kBinaryWords, kHeaderWords, 5);
    switch (a) {
      case Alphabet::header:
        return header;
      case Alphabet::text:
        return text;
      case Alphabet::name:
        return name;
      case Alphabet::token:
        return token;
      case Alphabet::binary:
        return binary;
    }
    return text;
  }

 private:
  struct Entry {
    std::string_view text;
    double bits;
  };
  using Index = std::array<std::vector<Entry>, 256>;
  void add(std::string_view text, double bits) {
    put(words_, text, bits);
    for (std::size_t cut = 1; cut + 3 <= text.size(); ++cut) put(tails_, text.substr(cut), bits + 0.5);
  }
  static void put(Index& index, std::string_view text, double bits) {
    index[static_cast<unsigned char>(text.front())].push_back({text, bits});
  }
  // The whole word from here, or what of it fits.
  static void look(const Index& index, std::string_view low, std::size_t i, std::array<double, 65>& best) {
    for (const Entry& w : index[static_cast<unsigned char>(low[i])]) {
      const std::size_t n = std::min(w.text.size(), low.size() - i);
      if (n >= 3 && low.compare(i, n, w.text, 0, n) == 0)
        best[i + n] = std::min(best[i + n], best[i] + w.bits);
    }
  }

  Index words_, tails_;
};

}  // namespace

Alphabet alphabet(Buffer b) {
  switch (b) {
    case Buffer::http_method:
    case Buffer::http_protocol:
    case Buffer::http_stat_code:
    case Buffer::http_stat_msg:
    case Buffer::ftp_command:
    case Buffer::ftp_completion_code:
    case Buffer::http_connection:
    case Buffer::http_content_len:
    case Buffer::tls_version:
    case Buffer::tls_alpn:
    case Buffer::ssh_proto:
      return Alphabet::token;
    case Buffer::dns_query:
    case Buffer::dns_answer_name:
    case Buffer::tls_sni:
    case Buffer::http_host:
    case Buffer::http_host_raw:
    case Buffer::smtp_helo:
    case Buffer::rdp_cookie:
      return Alphabet::name;
    case Buffer::http_header:
    case Buffer::http_header_raw:
    case Buffer::http_header_names:
    case Buffer::http_start:
    case Buffer::http_request_line:
    case Buffer::http_response_line:
    case Buffer::http_user_agent:
    case Buffer::http_accept:
    case Buffer::http_accept_enc:
    case Buffer::http_accept_lang:
    case Buffer::http_content_type:
    case Buffer::http_server:
    case Buffer::http_request_header:
    case Buffer::http_response_header:
    case Buffer::http_referer:
    case Buffer::http_location:
      return Alphabet::header;
    case Buffer::payload:
    case Buffer::stream:
    case Buffer::ip_header:
    case Buffer::ip6_header:
    case Buffer::tcp_header:
    case Buffer::udp_header:
    case Buffer::icmp4_header:
    case Buffer::icmp6_header:
    case Buffer::ip_source:
    case Buffer::ip_destination:
    case Buffer::tls_certs:
    case Buffer::dce_stub_data:
      return Alphabet::binary;
    default:
      return Alphabet::text;
  }
}

double places(Buffer b) {
  switch (b) {
    case Buffer::stream:
    case Buffer::payload:
      return 11;
    case Buffer::file_data:
    case Buffer::http_response_body:
    case Buffer::http_request_body:
      return 12;
    case Buffer::http_header:
    case Buffer::http_header_raw:
    case Buffer::http_request_header:
    case Buffer::http_response_header:
    case Buffer::http_start:
    case Buffer::tls_certs:
    case Buffer::dce_stub_data:
    case Buffer::http_cookie:
      return 9;
    case Buffer::http_method:
    case Buffer::http_protocol:
    case Buffer::http_stat_code:
    case Buffer::ftp_command:
      return 2;
    default:
      return 6;
  }
}

double rarity(std::string_view bytes, Alphabet a, bool nocase) {
  bytes = bytes.substr(0, 64);
  std::array<char, 64> text{};
  for (std::size_t i = 0; i < bytes.size(); ++i) text[i] = lower(bytes[i]);
  const std::string_view low(text.data(), bytes.size());
  const Words& words = Words::of(a);
  std::array<double, 65> best;
  best.fill(std::numeric_limits<double>::infinity());
  best[0] = 0;
  for (std::size_t i = 0; i < low.size(); ++i) {
    // A byte like the one before it tells little: 00 00 00 00, spaces, AAAA.
    const bool repeats = i > 0 && low[i] == low[i - 1];
    const double bits = repeats ? 1.0 : byte_bits(static_cast<unsigned char>(bytes[i]), a, nocase);
    best[i + 1] = std::min(best[i + 1], best[i] + bits);
    words.cover(low, i, best);
  }
  return best[low.size()];
}

}  // namespace sekisho::signatures
