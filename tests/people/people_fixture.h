// People with clocks of the test's own and the cheapest hash, and a way to make persons who can log in.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "control/people/people.h"

namespace sekisho::control {

inline constexpr const char* kPassword = "correct horse battery";
inline constexpr const char* kAddress = "10.0.0.1";

class PeopleFixture : public ::testing::Test {
 protected:
  struct Line {
    Who who;
    std::string action, details;
  };
  PeopleFixture() {
    std::string pattern = ::testing::TempDir() + "peopleXXXXXX";
    directory_ = mkdtemp(pattern.data());
    settings_ = PeopleSettings{};
    start();
  }
  ~PeopleFixture() override { std::filesystem::remove_all(directory_); }

  // Also again, as a restart does.
  void start() {
    people_ = std::make_unique<People>(
        PeopleOptions{.path = directory_ + "/people.json",
                      .setup_path = directory_ + "/setup-link",
                      .site = "t",
                      .cost = Hasher::Cost::least,
                      .wall_s = [this] { return wall_; },
                      .monotonic_s = [this] { return mono_; }},
        [this] { return settings_; },
        [this](const Who& who, const std::string& action, const std::string& details) {
          const std::lock_guard lock(said_);  // any thread that logs in says so
          audit_.push_back({who, action, details});
        });
    report_ = people_->start();
  }
  void pass(std::uint64_t seconds) {
    wall_ += seconds;
    mono_ += seconds;
  }
  std::string code_of(const std::string& secret) const {
    return totp_code(*from_base32(secret), wall_ / kTotpStepSeconds);
  }
  // Through link, password and code; the clock moves so that the next code is a new one.
  People::LoggedIn set_up(const std::string& link, const std::string& name) {
    const People::Enrolment e = people_->enrol(link, name, kPassword, kAddress);
    const People::LoggedIn in = people_->confirm(e.session.id, e.session.csrf, code_of(e.secret), kAddress);
    secrets_[name] = e.secret;
    pass(60);
    return in;
  }
  People::LoggedIn add(const std::string& name, const std::vector<Role>& roles,
                       const std::string& vendor = {}) {
    return set_up(people_->add(name, roles, "ja", vendor, kRoot), name);
  }
  People::LoggedIn log_in(const std::string& name, const std::string& address = kAddress) {
    const People::LoggedIn in = people_->login({name, kPassword, code_of(secrets_[name]), address, {}});
    pass(60);
    return in;
  }
  // The name of the refusal; "" if there was none.
  template <typename F>
  static std::string refused(F&& f) {
    try {
      f();
    } catch (const Refusal& r) {
      return r.name;
    }
    return {};
  }
  std::size_t said(const std::string& action) const {
    const std::lock_guard lock(said_);
    std::size_t n = 0;
    for (const Line& l : audit_) n += l.action == action;
    return n;
  }

  static inline const Who kRoot{0, "root", "cli"};
  std::string directory_, report_;
  std::optional<PeopleSettings> settings_;
  std::uint64_t wall_ = 1'700'000'000, mono_ = 5000;
  mutable std::mutex said_;
  std::vector<Line> audit_;
  std::unique_ptr<People> people_;
  std::map<std::string, std::string> secrets_;
};

}  // namespace sekisho::control
