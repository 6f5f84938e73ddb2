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
constexpr Word kHeaderWords[] = {{"\r\nhost\r\n", 1.5},
                                 {"\r\naccept\r\n", 2},
                                 {"\r\nuser-a", 2},
                                 {"\r\nconnec", 2},
                                 {"\r\nconten", 2},
                                 {"http/1.", 2},
                                 {"http", 3},
                                 {"http://", 4},
                                 {"https://", 4},
                                 {"www.", 4},
                                 {"mozilla/", 2},
                                 {"mozilla", 2.5},
                                 {"windows", 3},
                                 {" nt ", 3},
                                 {"compatib", 4},
                                 {"gecko", 3},
                                 {"applewebk", 3},
                                 {"chrome/", 3},
                                 {"safari/", 3},
                                 {"user-age", 2},
                                 {"agent: ", 2},
                                 {"accept: ", 2},
                                 {"accept-", 2.5},
                                 {"content-", 2.5},
                                 {"-length", 3},
                                 {"-type: ", 3},
                                 {"encoding", 3},
                                 {"connecti", 2.5},
                                 {"keep-ali", 3},
                                 {"host: ", 2},
                                 {"\r\n", 1.5},
                                 {"\r\n\r\n", 3},
                                 {"text/", 3},
                                 {"html", 3.5},
                                 {"applicat", 3},
                                 {"image/", 4},
                                 {"charset=", 4},
                                 {"utf-8", 4},
                                 {"deflate", 4},
                                 {"gzip", 3.5},
                                 {"cookie", 3.5},
                                 {"referer", 3.5},
                                 {"cache-co", 3.5},
                                 {"language", 4},
                                 {"en-us", 4},
                                 {".com", 3.5},
                                 {"linux", 5},
                                 {"server: ", 3.5},
                                 {"date: ", 3.5},
                                 {"get ", 2.5},
                                 {"post ", 3},
                                 {"200 ok", 2},
                                 {"origin", 4.5},
                                 {"pragma: ", 4.5},
                                 {"last-mod", 3},
                                 {"modified", 3},
                                 {"expires:", 3},
                                 {"etag:", 3},
                                 {"vary:", 3},
                                 {"location", 3},
                                 {"set-cook", 3},
                                 {"transfer", 3},
                                 {"chunked", 3},
                                 {"accept-r", 3},
                                 {"bytes", 3},
                                 {"max-age", 3},
                                 {"no-cache", 3},
                                 {"no-store", 3},
                                 {"must-rev", 3},
                                 {"private", 3},
                                 {"public", 3},
                                 {"x-powere", 3},
                                 {"php/", 3},
                                 {"asp.net", 3},
                                 {"apache", 3},
                                 {"nginx", 3},
                                 {"microsof", 3},
                                 {"iis/", 3},
                                 {"q=0.", 3},
                                 {"en;q=0.", 3},
                                 {"-us,en", 3},
                                 {"en-us,en", 3},
                                 {"en;q=0", 3},
                                 {";q=0.9", 3},
                                 {";q=0.8", 3},
                                 {"*/*", 3},
                                 {"xhtml", 3},
                                 {"xml;", 3},
                                 {"xml,appl", 3},
                                 {"text/pla", 3},
                                 {"text/htm", 3},
                                 {"javascri", 3},
                                 {"json", 3},
                                 {"octet-st", 3},
                                 {"form-dat", 3},
                                 {"multipar", 3},
                                 {"urlencod", 3},
                                 {"boundary", 3},
                                 {"x-www-fo", 3},
                                 {"gmt", 3},
                                 {"mon,", 3},
                                 {"tue,", 3},
                                 {"wed,", 3},
                                 {"thu,", 3},
                                 {"fri,", 3},
                                 {"jan", 3},
                                 {"feb", 3},
                                 {"mar", 3},
                                 {"apr", 3},
                                 {"may", 3},
                                 {"jun", 3},
                                 {"jul", 3},
                                 {"aug", 3},
                                 {"sep", 3},
                                 {"oct", 3},
                                 {"nov", 3},
                                 {"dec", 3},
                                 {"upgrade", 3},
                                 {"insecure", 3},
                                 {"x-reques", 3},
                                 {"xmlhttpr", 3},
                                 {"max-fo", 3},
                                 {"x-forwar", 3},
                                 {"authoriz", 3},
                                 {"basic", 3},
                                 {"referer:", 3},
                                 {"khtml", 3},
                                 {"version/", 3},
                                 {"mobile", 3},
                                 {"iphone", 3},
                                 {"ipad", 3},
                                 {"android", 3},
                                 {"trident", 3},
                                 {"msie", 3},
                                 {"rv:", 3},
                                 {"win64", 3},
                                 {"x64", 3},
                                 {"wow64", 3},
                                 {"intel", 3},
                                 {"mac", 3},
                                 {"os", 3},
                                 {"x", 3},
                                 {"proxy", 3},
                                 {"via:", 3},
                                 {"age:", 3},
                                 {"close", 3},
                                 {"alive", 3},
                                 {"timeout", 3}};
constexpr Word kTextWords[] = {{"http://", 5},
                               {"https://", 5},
                               {"http", 4.5},
                               {"www.", 5.5},
                               {".com", 5},
                               {"function", 5},
                               {"script", 5},
                               {"document", 6},
                               {"return", 6},
                               {"<div ", 5},
                               {"</div>", 5},
                               {"class=\"", 5},
                               {"href=\"", 5.5},
                               {"html", 6},
                               {"text", 6},
                               {"style", 6},
                               {"width", 6.5},
                               {"this.", 6},
                               {"var ", 6},
                               {"        ", 4},
                               {".length", 6},
                               {"the ", 5},
                               {"ing ", 6},
                               {"tion", 6},
                               {"window", 6.5},
                               {"type=", 6},
                               {"name=", 6},
                               {"value=", 6.5},
                               {"id=\"", 6},
                               {"src=\"", 6},
                               {".php", 4},
                               {".html", 5},
                               {".js", 4.5},
                               {"index", 4.5},
                               {"/api/", 5},
                               {"images/", 5},
                               {".php?", 5},
                               {"?id=", 5.5},
                               {"admin", 6},
                               {"login", 6},
                               {"string", 6},
                               {"object", 6.5},
                               {"<title", 5.5},
                               {"<html", 5.5},
                               {"<head>", 5.5},
                               {"<body", 5.5},
                               {"<meta", 5.5},
                               {"<link", 5.5},
                               {"<script", 5.5},
                               {"</script", 5.5},
                               {"<img", 5.5},
                               {"<input", 5.5},
                               {"<form", 5.5},
                               {"<table", 5.5},
                               {"<span", 5.5},
                               {"</span>", 5.5},
                               {"</head>", 5.5},
                               {"</body>", 5.5},
                               {"</html>", 5.5},
                               {"<!doctype", 5.5},
                               {"charset", 5.5},
                               {"http-equ", 5.5},
                               {"content=", 5.5},
                               {"method=", 5.5},
                               {"action=", 5.5},
                               {"onclick=", 5.5},
                               {"onload=", 5.5},
                               {"href=", 5.5},
                               {"<a", 5.5},
                               {"target=", 5.5},
                               {"_blank", 5.5},
                               {"getelement", 6.5},
                               {"innerhtm", 6.5},
                               {"createel", 6.5},
                               {"appendch", 6.5},
                               {"setattri", 6.5},
                               {"addevent", 6.5},
                               {"parentno", 6.5},
                               {"navigato", 6.5},
                               {"useragen", 6.5},
                               {"location", 6.5},
                               {"settimeo", 6.5},
                               {"setinter", 6.5},
                               {"math.", 6.5},
                               {"new", 6.5},
                               {"date", 6.5},
                               {"regexp", 6.5},
                               {"xmlhttpr", 6.5},
                               {"activexo", 6.5},
                               {"jsonp", 6.5},
                               {"json.", 6.5},
                               {"indexof", 6.5},
                               {"substr", 6.5},
                               {"substring", 6.5},
                               {"charat", 6.5},
                               {"charcode", 6.5},
                               {"fromchar", 6.5},
                               {"tostring", 6.5},
                               {"prototyp", 6.5},
                               {"typeof", 6.5},
                               {"undefine", 6.5},
                               {"null", 6.5},
                               {"true", 6.5},
                               {"false", 6.5},
                               {"else", 6.5},
                               {"while", 6.5},
                               {"for(", 6.5},
                               {"try{", 6.5},
                               {"catch(", 6.5},
                               {"eval(", 6.5},
                               {"unescape", 6.5},
                               {"escape(", 6.5},
                               {"replace(", 6.5},
                               {"split(", 6.5},
                               {"join(", 6.5},
                               {"push(", 6.5},
                               {"concat", 6.5},
                               {"match(", 6.5},
                               {"onerror", 6.5},
                               {"callback", 6.5},
                               {"console.", 6.5},
                               {"jquery", 6.5},
                               {"bootstra", 6.5},
                               {"google", 6.5},
                               {"analytic", 6.5},
                               {"encodeur", 6.5},
                               {"decodeur", 6.5},
                               {".write", 6.5},
                               {".src=", 6.5},
                               {".href", 6.5},
                               {"image/", 6.5},
                               {"base64", 6.5},
                               {"iframe", 6.5},
                               {"embed", 6.5},
                               {"param", 6.5},
                               {"classid", 6.5},
                               {"codebase", 6.5},
                               {"application", 6.5},
                               {".cookie", 6.5},
                               {".body", 6.5},
                               {".style", 6.5},
                               {"visible", 6.5},
                               {"hidden", 6.5},
                               {"display", 6.5},
                               {"none;", 6.5},
                               {"block", 6.5},
                               {"position", 6.5},
                               {"absolute", 6.5},
                               {"relative", 6.5},
                               {"height", 6.5},
                               {"margin", 6.5},
                               {"padding", 6.5},
                               {"border", 6.5},
                               {"color", 6.5},
                               {"backgrou", 6.5},
                               {"font-siz", 6.5},
                               {"font-fam", 6.5},
                               {"center", 6.5},
                               {"align", 6.5},
                               {"float", 6.5},
                               {"left;", 6.5},
                               {"right;", 6.5},
                               {"top:", 6.5},
                               {"bottom", 6.5},
                               {"button", 6.5},
                               {"input", 6.5},
                               {"password", 6.5},
                               {"username", 6.5},
                               {"passwd", 6.5},
                               {"email", 6.5},
                               {"submit", 6.5},
                               {"signin", 6.5},
                               {"register", 6.5},
                               {"account", 6.5},
                               {"verify", 6.5},
                               {"required", 8.5},
                               {"copyright", 8.5},
                               {"security", 8.5},
                               {"reserved", 8.5},
                               {"rights", 8.5},
                               {"please", 8.5},
                               {"update", 8.5},
                               {"upgrade", 8.5},
                               {"message", 8.5},
                               {"error", 8.5},
                               {"server", 8.5},
                               {"system", 8.5},
                               {"service", 8.5},
                               {"customer", 8.5},
                               {"information", 8.5},
                               {"access", 8.5},
                               {"download", 8.5},
                               {"upload", 8.5},
                               {"install", 8.5},
                               {"continue", 8.5},
                               {"confirm", 8.5},
                               {"welcome", 8.5},
                               {"click", 8.5},
                               {"here", 8.5},
                               {"office", 8.5},
                               {"microsoft", 8.5},
                               {"windows", 8.5},
                               {"adobe", 8.5},
                               {"apple", 8.5},
                               {"facebook", 8.5},
                               {"paypal", 8.5},
                               {"amazon", 8.5},
                               {"bank", 8.5},
                               {"page", 8.5},
                               {"website", 8.5},
                               {"online", 8.5},
                               {"file", 8.5},
                               {"files", 8.5},
                               {"folder", 8.5},
                               {"user", 8.5},
                               {"users", 8.5},
                               {"administrator", 8.5},
                               {"command", 8.5},
                               {"execute", 8.5},
                               {"preserve", 8.5},
                               {"recognize", 8.5},
                               {"unrecognized", 8.5},
                               {"initialize", 8.5},
                               {"default", 8.5},
                               {"property", 8.5},
                               {"private", 8.5},
                               {"public", 8.5},
                               {"class", 8.5},
                               {"variable", 8.5},
                               {"static", 8.5},
                               {"number", 8.5},
                               {"value", 8.5},
                               {"length", 8.5},
                               {"content", 8.5},
                               {"help", 8.5},
                               {"support", 8.5},
                               {"contact", 8.5},
                               {"about", 8.5},
                               {"privacy", 8.5},
                               {"terms", 8.5},
                               {"policy", 8.5},
                               {"language", 8.5},
                               {"english", 8.5},
                               {"company", 8.5},
                               {"international", 8.5},
                               {"version", 8.5},
                               {"release", 8.5},
                               {"package", 8.5},
                               {"product", 8.5},
                               {"device", 8.5},
                               {"android", 8.5},
                               {"phone", 8.5},
                               {"mobile", 8.5},
                               {"address", 8.5},
                               {"country", 8.5},
                               {"state", 8.5},
                               {"payment", 8.5},
                               {"credit", 8.5},
                               {"card", 8.5},
                               {"invoice", 8.5},
                               {"order", 8.5},
                               {"shipping", 8.5},
                               {"delivery", 8.5},
                               {"the", 8.5},
                               {"and", 8.5},
                               {"for", 8.5},
                               {"with", 8.5},
                               {"this", 8.5},
                               {"that", 8.5},
                               {"from", 8.5},
                               {"your", 8.5},
                               {"have", 8.5},
                               {"will", 8.5},
                               {"not", 8.5},
                               {"are", 8.5},
                               {"you", 8.5},
                               {"was", 8.5},
                               {"can", 8.5},
                               {"all", 8.5},
                               {"has", 8.5},
                               {"more", 8.5},
                               {"than", 8.5},
                               {"other", 8.5},
                               {"which", 8.5},
                               {"their", 8.5},
                               {"been", 8.5},
                               {"would", 8.5},
                               {"there", 8.5},
                               {"what", 8.5},
                               {"when", 8.5},
                               {"them", 8.5},
                               {"some", 8.5},
                               {"time", 8.5},
                               {"into", 8.5},
                               {"only", 8.5},
                               {"could", 8.5},
                               {"these", 8.5},
                               {"first", 8.5}};
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
