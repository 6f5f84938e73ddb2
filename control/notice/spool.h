// The queue of one receiver on disk: one file a letter, written whole and fsynced before it counts, removed
// when it was delivered. Where the disk refuses, letters wait in memory, and `problem` says so.
//
// Invariant: names are numbers that only grow, so the order of names is the order of letters. Thread: one
// owner at a time (the receiver's lock).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/notice/text.h"

namespace sekisho::control {

class Spool {
 public:
  // Takes up what an earlier process left; what is no letter is set aside (".bad") and reported.
  Spool(std::string directory, std::size_t most);

  // False: full (`most` letters wait), nothing was kept.
  bool push(const Letter& letter);
  // The oldest; nothing: empty.
  std::optional<Letter> front();
  void pop();
  std::size_t size() const { return waiting_.size(); }
  const std::string& problem() const { return problem_; }
  const std::vector<std::string>& reports() const { return reports_; }

 private:
  std::string path(std::uint64_t number) const;
  bool write(std::uint64_t number, const std::string& text);
  std::string directory_;
  std::size_t most_;
  std::uint64_t next_ = 1;
  // By number; a text that is not empty is not on disk.
  std::map<std::uint64_t, std::string> waiting_;
  std::string problem_;
  std::vector<std::string> reports_;
};

}  // namespace sekisho::control
