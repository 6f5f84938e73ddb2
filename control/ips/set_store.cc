#include "control/ips/set_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "signatures/compile_file.h"

namespace sekisho::control {
namespace fs = std::filesystem;

namespace {

std::string failed(const std::string& path) {
  return fmt::format("{}: {}", path, std::strerror(errno));
}

std::string sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed(path);
  std::string why = ::fsync(fd) == 0 ? std::string() : failed(path);
  ::close(fd);
  return why;
}

// The numbers of versions/NNNNNN, ascending.
std::vector<unsigned> numbers(const std::string& folder) {
  std::vector<unsigned> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string name = entry.path().filename();
    if (name.size() == 6 &&
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
      out.push_back(static_cast<unsigned>(std::stoul(name)));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::optional<signatures::Manifest> SetStore::manifest(const char* link) const {
  std::vector<std::uint8_t> bytes;
  signatures::Manifest m;
  const std::string path = fmt::format("{}/{}/manifest.json", directory_, link);
  if (!signatures::read_file(path, signatures::kMaxManifestBytes, bytes).empty()) return std::nullopt;
  if (!signatures::read_manifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, m).empty())
    return std::nullopt;
  return m;
}

SetStore::Links SetStore::links() const {
  const auto target = [&](const char* name) {
    std::error_code ec;
    const auto path = fs::read_symlink(fmt::format("{}/{}", directory_, name), ec);
    return ec ? std::string() : path.string();
  };
  return {target("current"), target("previous")};
}

std::string SetStore::set_link(const char* name, const std::string& target) {
  const std::string path = fmt::format("{}/{}", directory_, name), beside = path + ".new";
  if (target.empty()) return ::unlink(path.c_str()) == 0 || errno == ENOENT ? std::string() : failed(path);
  ::unlink(beside.c_str());
  if (::symlink(target.c_str(), beside.c_str()) != 0 || ::rename(beside.c_str(), path.c_str()) != 0)
    return failed(path);
  return {};
}

std::string SetStore::set_links(const Links& links) {
  if (std::string why = set_link("current", links.current); !why.empty()) return why;
  if (std::string why = set_link("previous", links.previous); !why.empty()) return why;
  return sync_folder(directory_);
}

std::string SetStore::install(const signatures::Bundle& bundle, bool force) {
  const signatures::Manifest& m = bundle.manifest;
  if (const auto now = current(); now && !force) {
    if (now->name != m.name)
      return fmt::format("other_set: {} is in use, this is {} (--force takes it)", now->name, m.name);
    if (now->version == m.version) return fmt::format("same_version: {} is in use already", m.version);
    if (now->version > m.version)
      return fmt::format("older_version: {} is in use, this is {} (--force takes it)", now->version,
                         m.version);
  }
  const std::string folder = directory_ + "/versions";
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return fmt::format("{}: {}", folder, ec.message());
  const auto known = numbers(folder);
  const std::string name = fmt::format("{:06}", known.empty() ? 1 : known.back() + 1),
                    path = folder + "/" + name;
  const std::string beside = path + ".new";
  fs::remove_all(beside, ec);
  const auto write = [&]() -> std::string {
    if (::mkdir(beside.c_str(), 0750) != 0) return failed(beside);
    for (std::size_t i = 0; i < m.files.size(); ++i)
      if (std::string why = signatures::write_file(beside + "/" + m.files[i].name, bundle.files[i]);
          !why.empty())
        return why;
    const std::string text = signatures::to_json(m);
    const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(text.data()),
                                              text.size());
    if (std::string why = signatures::write_file(beside + "/manifest.json", bytes); !why.empty()) return why;
    if (std::string why = sync_folder(beside); !why.empty()) return why;
    return ::rename(beside.c_str(), path.c_str()) == 0 ? sync_folder(folder) : failed(path);
  };
  if (std::string why = write(); !why.empty()) {
    fs::remove_all(beside, ec);
    return why;
  }
  return set_links({"versions/" + name, links().current});
}

std::string SetStore::step_back() {
  const Links now = links();
  if (now.previous.empty() || now.previous == now.current || !previous())
    return "nothing_before: there is no set to go back to";
  return set_links({now.previous, {}});
}

void SetStore::trim() {
  const std::string folder = directory_ + "/versions";
  const Links now = links();
  auto known = numbers(folder);
  for (std::size_t i = 0; i + kKept < known.size(); ++i) {
    const std::string name = fmt::format("{:06}", known[i]);
    std::error_code ec;
    if (now.current != "versions/" + name && now.previous != "versions/" + name)
      fs::remove_all(folder + "/" + name, ec);
  }
}

}  // namespace sekisho::control
