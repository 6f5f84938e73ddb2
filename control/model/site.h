// `sekisho init`: a first site between the HIS and one vendor's line, from questions. No terminal here: the
// command line asks, this file knows the questions and writes the TOML.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sekisho::control {

struct SiteAnswers {
  std::string site_name = "hospital";
  std::string his_device, vendor_device;  // PCI address, or the name of a kernel interface
  std::string vendor_name = "vendor-a";
  std::vector<std::string> vendor_addresses;  // hosts, prefixes, ranges
  std::vector<std::string> target_addresses;
  std::vector<std::string> services{"ssh", "rdp", "https"};  // of known_services()
  bool ticket = true;                                        // only while a vendor access is open
  std::string timezone = "+09:00";
};

struct Bilingual {
  std::string en, ja;
};

struct Question {
  std::string key;
  Bilingual prompt;
  std::string fallback;  // taken for an empty answer; empty: an answer is needed
  // Why the answer is refused; nothing: it is good.
  std::optional<Bilingual> (*fault)(std::string_view answer);
  // REQUIRES: fault(answer) found nothing.
  void (*store)(SiteAnswers& answers, std::string_view answer);
};

const std::vector<Question>& site_questions();
// What is wrong with the answers together (one device given twice); nothing: they are good.
std::optional<Bilingual> site_fault(const SiteAnswers& answers);
// Names that `services` may hold, with the port: "ssh", "rdp", …
const std::vector<std::string>& known_services();
// The whole file, with comments. REQUIRES: answers that the questions accepted, the two devices different (a
// file made of others is still refused, with its place, by read_config).
std::string render_site(const SiteAnswers& answers);

}  // namespace sekisho::control
