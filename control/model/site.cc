#include "control/model/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/model/read_config.h"
#include "control/model/values.h"

namespace sekisho::control {
namespace {

struct KnownService {
  const char* name;
  unsigned port;
};
constexpr std::array<KnownService, 5> kServices = {
    {{"ssh", 22}, {"rdp", 3389}, {"https", 443}, {"http", 80}, {"vnc", 5900}}};

// Words between commas or blanks.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text) {
    if (c != ',' && c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

using Fault = std::optional<Bilingual>;

Fault site_name_fault(std::string_view answer) {
  if (name_fault(answer, 63).empty()) return std::nullopt;
  return Bilingual{"1 to 63 letters, digits, '-', '_' or '.'", "英数字と - _ . で63文字以内にしてください"};
}

// Source and target objects are named after the vendor, so it must start with a letter.
Fault vendor_name_fault(std::string_view answer) {
  if (name_fault(answer, 31).empty() && !(answer[0] >= '0' && answer[0] <= '9')) return std::nullopt;
  return Bilingual{"1 to 31 letters, digits, '-', '_' or '.', a letter first",
                   "英字で始まる英数字と - _ . で31文字以内にしてください"};
}

bool is_pci(std::string_view text) {
  return text.find(':') != text.npos;
}
std::string device_string(const std::string& answer) {
  return is_pci(answer) ? answer : "net_af_xdp,iface=" + answer;
}

// The configuration reader is the judge of devices: one grammar, in one place.
Fault device_fault(std::string_view answer) {
  const bool plain = answer.find_first_of("\", \t\\") == answer.npos && name_fault(answer, 15).empty();
  if (is_pci(answer) || plain) {
    const std::string probe = "[gateway]\nname = \"probe\"\n[[port]]\nname = \"probe\"\ndevice = " +
                              toml_string(device_string(std::string(answer))) + "\n";
    if (read_config(probe, "").ok()) return std::nullopt;
  }
  return Bilingual{"a PCI address such as 0000:03:00.0, or the name of a kernel interface such as eth1",
                   "PCIアドレス(例 0000:03:00.0)かインターフェース名(例 eth1)を入力してください"};
}

Fault addresses_fault(std::string_view answer) {
  const auto list = words(answer);
  const auto bad = [](const std::string& word) { return !parse_address_range(word); };
  const auto first = std::find_if(list.begin(), list.end(), bad);
  if (!list.empty() && first == list.end()) return std::nullopt;
  const Bilingual hint{
      "addresses such as 10.20.0.30, 10.20.9.0/24 or 10.20.10.5-10.20.10.9, separated by commas",
      "アドレスをカンマ区切りで入力してください(例 10.20.0.30, 10.20.9.0/24, 10.20.10.5-10.20.10.9)"};
  if (list.empty()) return hint;
  const auto refusal = parse_address_range(*first);
  return Bilingual{refusal.what + "; expected " + refusal.expected, quoted(*first) + ": " + hint.ja};
}

Fault services_fault(std::string_view answer) {
  const auto list = words(answer);
  const bool good = !list.empty() && std::all_of(list.begin(), list.end(), [](const std::string& word) {
    const auto& known = known_services();
    return std::find(known.begin(), known.end(), word) != known.end();
  });
  if (good) return std::nullopt;
  std::string all;
  for (const std::string& name : known_services()) all += (all.empty() ? "" : ", ") + name;
  return Bilingual{"some of: " + all, "次の中から選んでください: " + all};
}

Fault yes_no_fault(std::string_view answer) {
  if (answer == "yes" || answer == "no" || answer == "y" || answer == "n" || answer == "はい" ||
      answer == "いいえ") {
    return std::nullopt;
  }
  return Bilingual{"yes or no", "はい か いいえ で答えてください"};
}

Fault timezone_fault(std::string_view answer) {
  const auto offset = parse_utc_offset(answer);
  if (offset) return std::nullopt;
  return Bilingual{offset.expected, "協定世界時との差を入力してください(例 +09:00)"};
}

std::string string_list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out += (out.size() > 1 ? ", " : "") + toml_string(item);
  return out + "]";
}

}  // namespace

const std::vector<std::string>& known_services() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const KnownService& s : kServices) out.emplace_back(s.name);
    return out;
  }();
  return names;
}

std::optional<Bilingual> site_fault(const SiteAnswers& answers) {
  const std::string his = device_string(answers.his_device), vendor = device_string(answers.vendor_device);
  // The domain 0000 may be left out.
  const auto full = [](const std::string& d) { return d.size() == 7 && is_pci(d) ? "0000:" + d : d; };
  if (full(his) != full(vendor)) return std::nullopt;
  return Bilingual{"the HIS side and the vendor's side are the same port",
                   "HIS側と保守事業者側に同じポートが指定されています"};
}

const std::vector<Question>& site_questions() {
  static const std::vector<Question> questions = {
      {"site_name",
       {"Name of this gateway", "この装置の名前"},
       "hospital",
       site_name_fault,
       [](SiteAnswers& a, std::string_view text) { a.site_name = text; }},
      {"his_device",
       {"Port on the HIS side (PCI address or interface)",
        "HIS(院内)側のポート(PCIアドレスかインターフェース名)"},
       "",
       device_fault,
       [](SiteAnswers& a, std::string_view text) { a.his_device = text; }},
      {"vendor_device",
       {"Port on the vendor's side (PCI address or interface)",
        "保守事業者側のポート(PCIアドレスかインターフェース名)"},
       "",
       device_fault,
       [](SiteAnswers& a, std::string_view text) { a.vendor_device = text; }},
      {"vendor_name",
       {"Short name of the vendor", "保守事業者の略称"},
       "vendor-a",
       vendor_name_fault,
       [](SiteAnswers& a, std::string_view text) { a.vendor_name = text; }},
      {"vendor_addresses",
       {"Addresses from which the vendor comes", "保守事業者の接続元アドレス"},
       "",
       addresses_fault,
       [](SiteAnswers& a, std::string_view text) { a.vendor_addresses = words(text); }},
      {"target_addresses",
       {"The systems that this vendor maintains, and nothing else",
        "保守対象のシステムのアドレス(それ以外は含めない)"},
       "",
       addresses_fault,
       [](SiteAnswers& a, std::string_view text) { a.target_addresses = words(text); }},
      {"services",
       {"What the vendor uses (ssh, rdp, https, http, vnc)",
        "保守で使うサービス(ssh, rdp, https, http, vnc)"},
       "ssh, rdp, https",
       services_fault,
       [](SiteAnswers& a, std::string_view text) { a.services = words(text); }},
      {"ticket",
       {"Closed unless an approved ticket holds it open?", "承認された保守作業申請があるときだけ通しますか"},
       "yes",
       yes_no_fault,
       [](SiteAnswers& a, std::string_view text) {
         a.ticket = text == "yes" || text == "y" || text == "はい";
       }},
      {"timezone",
       {"Time zone", "時間帯"},
       "+09:00",
       timezone_fault,
       [](SiteAnswers& a, std::string_view text) { a.timezone = text; }},
  };
  return questions;
}

std::string render_site(const SiteAnswers& a) {
  const bool pci = is_pci(a.his_device) || is_pci(a.vendor_device);
  const std::string source = a.vendor_name + "-line", target = a.vendor_name + "-target";
  std::string out =
      "# Written by `sekisho init`. One wire between the HIS and a vendor's line; all that no rule\n"
      "# accepts is dropped. Check it with `sekisho config check`.\n\n";
  out += fmt::format("[gateway]\nname = {}\ntimezone = {}\nhugepages = {}\n\n", toml_string(a.site_name),
                     toml_string(a.timezone), pci);
  out += fmt::format("[[port]]\nname = \"p-his\"\ndevice = {}\n\n", toml_string(device_string(a.his_device)));
  out += fmt::format("[[port]]\nname = \"p-vendor\"\ndevice = {}\n\n",
                     toml_string(device_string(a.vendor_device)));
  out += "[[zone]]\nname = \"his\"\n\n[[zone]]\nname = \"vendor\"\nkind = \"vendor\"\n\n";
  out += "[[interface]]\nname = \"his0\"\nport = \"p-his\"\nzone = \"his\"\n\n";
  out += "[[interface]]\nname = \"vendor0\"\nport = \"p-vendor\"\nzone = \"vendor\"\n\n";
  out += "[[wire]]\nname = \"maintenance\"\nsides = [\"vendor0\", \"his0\"]\n\n";
  out +=
      "[[link]]\nname = \"vendor\"            # sekisho cut vendor\nzones = [\"vendor\", \"his\"]\nfail = "
      "\"closed\"\n\n";
  out += fmt::format("[addresses]\n{} = {}\n{} = {}\n\n", toml_string(source),
                     string_list(a.vendor_addresses), toml_string(target), string_list(a.target_addresses));
  out += "[services]\n";
  std::vector<std::string> chosen;
  for (const KnownService& s : kServices) {
    if (std::find(a.services.begin(), a.services.end(), s.name) == a.services.end()) continue;
    out += fmt::format("{} = {{ tcp = {} }}\n", s.name, s.port);
    chosen.emplace_back(s.name);
  }
  if (a.ticket) {
    out += fmt::format(
        "\n[[vendor_access]]\nname = {}\nlongest = \"8h\"            # no ticket holds it open longer\n",
        toml_string(a.vendor_name));
  }
  out +=
      fmt::format("\n[[rule]]\nname = {}\nfrom = \"vendor\"\nto = \"his\"\nsource = {}\ndestination = {}\n",
                  toml_string("maintenance by " + a.vendor_name), toml_string(source), toml_string(target));
  out += fmt::format("service = {}\naction = \"accept\"\nlog = true\n", string_list(chosen));
  if (a.ticket) out += fmt::format("access = {}\n", toml_string(a.vendor_name));
  out +=
      "\n[[rule]]\nname = \"all else from the vendor's line\"\nfrom = \"vendor\"\nto = \"his\"\naction = "
      "\"drop\"\nlog = true\n";
  return out;
}

}  // namespace sekisho::control
