#include "control/people/people_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "control/people/refusal.h"

namespace sekisho::control {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMostBytes = 4u << 20, kMostText = 256;

std::string text(const json& from, const char* key) {
  const std::string value = from.at(key).get<std::string>();
  if (value.size() > kMostText) throw std::runtime_error(std::string(key) + " is too long");
  return value;
}

Person person_of(const json& from) {
  Person p;
  p.number = from.at("number").get<std::uint32_t>();
  p.name = text(from, "name");
  if (const std::string why = person_name_fault(p.name); !why.empty()) throw std::runtime_error(why);
  for (const json& name : from.at("roles")) {
    const auto role = role_named(name.get<std::string>());
    if (!role) throw std::runtime_error("an unknown role");
    p.roles.push_back(*role);
  }
  p.language = text(from, "language");
  p.vendor = text(from, "vendor");
  p.disabled = from.at("disabled").get<bool>();
  p.password = text(from, "password");
  const auto secret = from_base32(text(from, "totp"));
  if (!secret) throw std::runtime_error("a bad TOTP secret");
  p.totp = *secret;
  p.totp_confirmed = from.at("totp_confirmed").get<bool>();
  p.totp_last_step = from.at("totp_last_step").get<std::uint64_t>();
  p.invitation = text(from, "invitation");
  p.invitation_until_s = from.at("invitation_until_s").get<std::uint64_t>();
  p.created_s = from.at("created_s").get<std::uint64_t>();
  p.changed_s = from.at("changed_s").get<std::uint64_t>();
  p.last_login_s = from.at("last_login_s").get<std::uint64_t>();
  return p;
}

ApiToken token_of(const json& from) {
  ApiToken t;
  t.name = text(from, "name");
  t.hash = text(from, "hash");
  for (const json& name : from.at("permissions")) {
    const auto permission = permission_named(name.get<std::string>());
    if (!permission) throw std::runtime_error("an unknown permission");
    t.permissions |= bit(*permission);
  }
  t.zone = text(from, "zone");
  t.expires_s = from.at("expires_s").get<std::uint64_t>();
  t.created_s = from.at("created_s").get<std::uint64_t>();
  t.created_by = text(from, "created_by");
  t.number = from.at("number").get<std::uint32_t>();
  return t;
}

json to_json(const Person& p) {
  return {{"number", p.number},
          {"name", p.name},
          {"roles", role_names(p.roles)},
          {"language", p.language},
          {"vendor", p.vendor},
          {"disabled", p.disabled},
          {"password", p.password},
          {"totp", base32(p.totp)},
          {"totp_confirmed", p.totp_confirmed},
          {"totp_last_step", p.totp_last_step},
          {"invitation", p.invitation},
          {"invitation_until_s", p.invitation_until_s},
          {"created_s", p.created_s},
          {"changed_s", p.changed_s},
          {"last_login_s", p.last_login_s}};
}

json to_json(const ApiToken& t) {
  return {{"name", t.name},
          {"hash", t.hash},
          {"permissions", permission_names(t.permissions)},
          {"zone", t.zone},
          {"expires_s", t.expires_s},
          {"created_s", t.created_s},
          {"created_by", t.created_by},
          {"number", t.number}};
}

bool read_one(const std::string& path, PeopleList& out, bool& existed, std::string& why) {
  std::error_code ec;
  const auto size = fs::file_size(path, ec);
  existed = fs::exists(path);
  if (ec) {
    why = ec.message();
    return false;
  }
  if (size > kMostBytes) {
    why = "larger than 4 MiB";
    return false;
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  if (!in) {
    why = "cannot be read";
    return false;
  }
  return people_from_json(content.str(), out, why);
}

}  // namespace

Permissions Person::permissions() const {
  Permissions all = 0;
  for (const Role role : roles) all |= permissions_of(role);
  return all;
}

Person& person_in(PeopleList& list, const std::string& name) {
  const auto it =
      std::find_if(list.people.begin(), list.people.end(), [&](const Person& p) { return p.name == name; });
  if (it == list.people.end()) throw Refusal{404, "no_such_person", "nobody is called " + name.substr(0, 64)};
  return *it;
}

std::string person_name_fault(const std::string& name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > 32 || !std::all_of(name.begin(), name.end(), good) ||
      !std::isalnum(name[0]))
    return "a name has 1 to 32 of a-z, 0-9, '.', '_', '-', and starts with a letter or digit";
  return {};
}

std::string people_to_json(const PeopleList& list) {
  json people = json::array(), tokens = json::array();
  for (const Person& p : list.people) people.push_back(to_json(p));
  for (const ApiToken& t : list.tokens) tokens.push_back(to_json(t));
  json out = {{"format", 1},
              {"people", people},
              {"tokens", tokens},
              {"next_number", list.next_number},
              {"first_invitation", list.first_invitation},
              {"first_until_s", list.first_until_s}};
  // Not against an attacker, who would be root: against half a disk block.
  const std::string body = out.dump();
  unsigned char sum[16];
  crypto_generichash(sum, sizeof sum, reinterpret_cast<const unsigned char*>(body.data()), body.size(),
                     nullptr, 0);
  char hex[33];
  out["sum"] = sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
  return out.dump(1) + "\n";
}

bool people_from_json(const std::string& content, PeopleList& out, std::string& why) {
  try {
    json all = json::parse(content);
    const std::string sum = all.at("sum").get<std::string>();
    all.erase("sum");
    const std::string body = all.dump();
    unsigned char right[16];
    crypto_generichash(right, sizeof right, reinterpret_cast<const unsigned char*>(body.data()), body.size(),
                       nullptr, 0);
    char hex[33];
    if (sum != sodium_bin2hex(hex, sizeof hex, right, sizeof right))
      throw std::runtime_error("the checksum is wrong");
    if (all.at("format") != 1) throw std::runtime_error("an unknown format");
    PeopleList list;
    std::set<std::string> names, token_names;
    for (const json& p : all.at("people")) {
      list.people.push_back(person_of(p));
      if (!names.insert(list.people.back().name).second) throw std::runtime_error("a name twice");
    }
    for (const json& t : all.at("tokens")) {
      list.tokens.push_back(token_of(t));
      if (!token_names.insert(list.tokens.back().name).second)
        throw std::runtime_error("a token's name twice");
    }
    if (list.people.size() > kMostPeople || list.tokens.size() > kMostTokens)
      throw std::runtime_error("too many entries");
    list.next_number = all.at("next_number").get<std::uint32_t>();
    list.first_invitation = text(all, "first_invitation");
    list.first_until_s = all.at("first_until_s").get<std::uint64_t>();
    out = std::move(list);
    return true;
  } catch (const std::exception& e) {
    why = e.what();
    return false;
  }
}

PeopleLoad load_people(const std::string& path) {
  PeopleLoad out;
  std::string why, why_before;
  if (read_one(path, out.list, out.existed, why)) return out;
  bool before = false;
  PeopleList old;
  const bool have = read_one(path + ".before", old, before, why_before);
  if (!out.existed && !before) return out;
  const std::string damaged =
      out.existed ? "people: " + path + " is damaged (" + why + ")" : "people: " + path + " is missing";
  std::error_code ec;
  if (out.existed) fs::rename(path, path + ".damaged", ec);
  out.existed = true;
  if (have) {
    out.list = std::move(old);
    out.report = damaged + "; the list before the last change is in use";
  } else {
    out.report = damaged +
                 " and so is the one before it: nobody can log in until root on this machine runs "
                 "`sekisho user add`";
  }
  return out;
}

std::string write_whole(const std::string& path, const std::string& content, unsigned mode) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  bool good = fd >= 0 && fchmod(fd, mode) == 0;
  for (std::size_t at = 0; good && at < content.size();) {
    const ssize_t n = ::write(fd, content.data() + at, content.size() - at);
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    if (good) at += static_cast<std::size_t>(n);
  }
  good = good && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (good && ::rename(temporary.c_str(), path.c_str()) == 0) {
    const int folder = ::open(fs::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
      fsync(folder);
      close(folder);
    }
    return {};
  }
  const std::string why = path + ": " + std::strerror(good ? errno : error);
  ::unlink(temporary.c_str());
  return why;
}

std::string save_people(const std::string& path, const PeopleList& list) {
  // The present list becomes the one before only if it is whole; a link, so that no moment is without a list.
  const std::string before = path + ".before", next = before + ".new";
  ::unlink(next.c_str());
  if (::link(path.c_str(), next.c_str()) == 0) (void)::rename(next.c_str(), before.c_str());
  return write_whole(path, people_to_json(list));
}

}  // namespace sekisho::control
