// Small files that are either the old one or the new one, whatever happens in between.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sekisho::control {

// Writes `path`.new (0600), fsyncs it, renames it over `path`, fsyncs the directory. Empty: durable; else
// what failed, and `path` is as it was (or, if only the directory's fsync failed, new but perhaps not
// durable).
std::string write_atomically(const std::string& path, std::string_view content);
// Makes renames and removals inside of it durable.
bool sync_directory(const std::string& directory);
// The whole file; nullopt: it cannot be read, or is larger than `most` bytes.
std::optional<std::string> read_small_file(const std::string& path, std::size_t most);

}  // namespace sekisho::control
