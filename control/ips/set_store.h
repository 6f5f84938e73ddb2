// Imported signature sets, by version, in the state directory:
//
//   versions/000001/…  manifest.json and the files, as they came
//   current            → versions/000002
//   previous           → versions/000001: where one step back leads
//
// One writer (sekishod); every change is one rename, so a reader sees the old set or the new one.
#pragma once

#include <optional>
#include <string>

#include "signatures/bundle.h"

namespace sekisho::control {

class SetStore {
 public:
  static constexpr std::size_t kKept = 4;  // versions, those that are linked among them

  explicit SetStore(std::string directory) : directory_(std::move(directory)) {}

  std::optional<signatures::Manifest> current() const { return manifest("current"); }
  std::optional<signatures::Manifest> previous() const { return manifest("previous"); }
  std::string path() const { return directory_; }

  // Where the links lead; put back when the new set turns out to be unusable.
  struct Links {
    std::string current, previous;  // "versions/000001"; empty: none
  };
  Links links() const;
  std::string set_links(const Links& links);

  // Writes the bundle's files as a new version and makes it the current one. Refusals: older_version,
  // same_version, other_set (unless `force`), and what the disk says. Empty: done.
  std::string install(const signatures::Bundle& bundle, bool force);
  // Back to the set before; once. Empty: done.
  std::string step_back();
  // Versions that are neither linked nor among the last are removed.
  void trim();

 private:
  std::optional<signatures::Manifest> manifest(const char* link) const;
  std::string set_link(const char* name, const std::string& target);

  std::string directory_;
};

}  // namespace sekisho::control
