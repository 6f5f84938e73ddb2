// How many findings, how large, how deep: the bounds of the configuration reader, and files that are none.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/model/diagnostic.h"
#include "control/model/read_config.h"
#include "tests/model/site_text.h"

namespace sekisho::control {
namespace {

std::string all(const ReadResult& result) {
  std::string out;
  for (const Diagnostic& d : result.diagnostics) out += format(d, result.files) + "\n";
  return out;
}
ReadResult read(const std::string& more) {
  return read_config(kSite + more, "site.toml", kNow);
}

TEST(ReadConfig, AllErrorsAreReportedInTheOrderOfTheFile) {
  const ReadResult result =
      read("[[wire]]\nname = \"w\"\nside = 1\n[[rule]]\nfrom = \"x\"\nto = 1\naction = 2\n");
  EXPECT_FALSE(result.ok());
  std::vector<std::uint32_t> lines;
  for (const Diagnostic& d : result.diagnostics) lines.push_back(d.at.line);
  EXPECT_EQ(lines, (std::vector<std::uint32_t>{47, 49, 51, 52, 53})) << all(result);
}

TEST(ReadConfig, NoMoreThanAHundredFindings) {
  std::string text;
  for (int i = 0; i < 150; ++i) text += "[[zone]]\nname = \"his\"\n";
  const ReadResult result = read(text);
  // 60 zones beyond the four that kSite has, then one that says that there are too many.
  EXPECT_EQ(result.diagnostics.size(), 61u);
  std::string rules;
  for (int i = 0; i < 150; ++i) rules += "[[rule]]\nfrom = \"his\"\nto = \"his\"\naction = \"no\"\n";
  // kSite brings four warnings of its own.
  const ReadResult many = read(rules);
  ASSERT_EQ(many.diagnostics.size(), kMaxDiagnostics + 1);
  EXPECT_EQ(many.diagnostics.back().what, "54 more findings are not shown");
  EXPECT_TRUE(has_errors(many.diagnostics));
}

TEST(ReadConfig, CapacitiesOfTheContract) {
  const auto repeat = [](int n, auto one) {
    std::string out;
    for (int i = 0; i < n; ++i) out += one(std::to_string(i));
    return out;
  };
  const auto refusal = [](const std::string& text) {
    const ReadResult result = read_config(text, "s", kNow);
    for (const Diagnostic& d : result.diagnostics) {
      if (d.severity == Diagnostic::Severity::error) return d.what;
    }
    return std::string("none");
  };
  const std::string head = "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n";
  const auto zone = [](const std::string& i) { return "[[zone]]\nname = \"z" + i + "\"\n"; };
  EXPECT_EQ(refusal(head + repeat(64, zone)), "none");
  EXPECT_EQ(refusal(head + repeat(65, zone)), "more than 64 [[zone]]");
  const auto port = [](const std::string& i) {
    return "[[port]]\nname = \"p" + i + "\"\ndevice = \"net_null\"\n";
  };
  EXPECT_EQ(refusal(head + repeat(63, port)), "none");
  EXPECT_EQ(refusal(head + repeat(64, port)), "more than 64 [[port]]");
  const auto interface = [](const std::string& i) {
    return "[[interface]]\nname = \"i" + i +
           "\"\nport = \"p\"\nzone = \"z0\"\nvlan = " + std::to_string(std::stoi(i) + 1) + "\n";
  };
  EXPECT_EQ(refusal(head + zone("0") + repeat(256, interface)), "none");
  EXPECT_EQ(refusal(head + zone("0") + repeat(257, interface)), "more than 256 [[interface]]");
  const auto access = [](const std::string& i) { return "[[vendor_access]]\nname = \"a" + i + "\"\n"; };
  EXPECT_EQ(refusal(head + repeat(256, access)), "none");
  EXPECT_EQ(refusal(head + repeat(257, access)), "more than 256 [[vendor_access]]");
  const auto schedule = [](const std::string& i) {
    return "s" + i + " = { from = \"01:00\", to = \"02:00\" }\n";
  };
  EXPECT_EQ(refusal(head + "[schedules]\n" + repeat(64, schedule)), "none");
  EXPECT_EQ(refusal(head + "[schedules]\n" + repeat(65, schedule)), "more than 64 schedules");
}

// Each group holds the one before it twice: doubling must hit a bound, not the memory.
TEST(ReadConfig, GroupsThatDoubleAreBounded) {
  std::string text =
      "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[addresses]\ng0 = [";
  for (int i = 0; i < 200; ++i) text += "\"10.0.0.1\", ";
  text += "]\n";
  for (int i = 1; i < 15; ++i) {
    const std::string before = fmt::format("\"@g{}\"", i - 1);
    text += fmt::format("g{} = [{}, {}]\n", i, before, before);
  }
  const ReadResult result = read_config(text, "g", kNow);
  EXPECT_FALSE(result.ok());
  EXPECT_NE(all(result).find("is too large"), std::string::npos) << all(result);
}

TEST(ReadConfig, GroupsNestedTooDeepWhateverTheirOrder) {
  const std::string head =
      "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[addresses]\n";
  for (const bool reversed : {false, true}) {
    for (const int n : {16, 17, 5000}) {
      std::string text = head + fmt::format("g{} = \"10.0.0.1\"\n", reversed ? n : 1);
      for (int i = 1; i < n; ++i) {
        const int outer = reversed ? n - i : i + 1, inner = reversed ? n - i + 1 : i;
        text += fmt::format("g{} = \"@g{}\"\n", outer, inner);
      }
      const ReadResult result = read_config(text, "g", kNow);
      EXPECT_EQ(result.ok(), n == 16) << n << all(result).substr(0, 500);
      if (n == 17) {
        EXPECT_NE(all(result).find("groups nested more than 16 deep"), std::string::npos);
      }
    }
  }
}

// Looking for the nearest of very many names, for each of very many wrong ones, would take minutes.
TEST(ReadConfig, NoHintsAmongVeryManyNames) {
  std::string text = "[gateway]\nname = \"g\"\n[[port]]\nname = \"p\"\ndevice = \"net_null0\"\n[addresses]\n";
  for (int i = 0; i < 6000; ++i) text += fmt::format("a{} = \"10.0.0.1\"\n", i);
  const ReadResult result = read_config(text + "b = \"@a6000\"\n", "g", kNow);
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].what, "no address object is named \"a6000\"");
}

TEST(ReadConfig, LongKeysAndDeepBracketsDoNotReachTheParser) {
  std::string dots = "a";
  for (int i = 0; i < 1'000'000; ++i) dots += ".a";
  EXPECT_FALSE(read_config(dots + " = 1\n", "d", kNow).ok());
  EXPECT_FALSE(read_config("a = " + std::string(1'000'000, '['), "d", kNow).ok());
  // Dots and brackets in strings and comments count for nothing.
  const ReadResult quoted_dots = read(
      "# a.b.c.d.e.f.g.h.i.j.k [[[[[[[[[[[[[[[[[[[[[[[[[\n[[rule]]\nname = \"\"\"a.b.c.d.e.f.g.h.i\\\".j.k "
      "[[[[[[[[[[[[[[[[[[[[[[[\"\"\"\n"
      "from = 'his'\nto = 'his'\naction = 'drop'\n");
  EXPECT_TRUE(quoted_dots.ok()) << all(quoted_dots);
}

TEST(ReadConfig, WhatIsNotTomlHasAPlace) {
  const ReadResult result = read_config("[gateway]\nname = \n", "bad.toml", kNow);
  ASSERT_EQ(result.diagnostics.size(), 1u);
  EXPECT_EQ(result.diagnostics[0].at.line, 2u);
  EXPECT_TRUE(result.diagnostics[0].what.starts_with("not TOML: ")) << all(result);
  const ReadResult twice = read_config("[gateway]\nname = \"a\"\nname = \"b\"\n", "bad.toml", kNow);
  ASSERT_EQ(twice.diagnostics.size(), 1u);
  EXPECT_EQ(twice.diagnostics[0].at.line, 3u);
  EXPECT_FALSE(read_config("name = \"\xff\"\n", "bad.toml", kNow).ok());
  EXPECT_FALSE(read_config(std::string(kMaxConfigBytes + 1, '\n'), "large.toml", kNow).ok());
}

class ReadConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sekisho-model-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string refusal(const std::string& path) {
    const ReadResult result = read_config_file(path, kNow);
    EXPECT_FALSE(result.ok());
    return result.diagnostics.empty() ? "" : format(result.diagnostics[0], result.files);
  }
  std::string directory_;
};

TEST_F(ReadConfigFile, ReadsAndKeepsTheText) {
  const std::string path = directory_ + "/site.toml";
  std::ofstream(path) << kSite;
  const ReadResult result = read_config_file(path, kNow);
  ASSERT_TRUE(result.ok()) << all(result);
  EXPECT_EQ(result.model->text, kSite);
  EXPECT_EQ(result.model->files, std::vector<std::string>{path});
}

TEST_F(ReadConfigFile, AbsentDirectoryFifoAndLarge) {
  EXPECT_EQ(refusal(directory_ + "/none"), directory_ +
                                               "/none: error: cannot be opened: No such file or directory; "
                                               "expected a readable file");
  EXPECT_EQ(refusal(directory_), directory_ + ": error: not a regular file");
  const std::string fifo = directory_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(refusal(fifo), fifo + ": error: not a regular file");
  const std::string large = directory_ + "/large";
  const int fd = open(large.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_EQ(ftruncate(fd, kMaxConfigBytes + 1), 0);
  close(fd);
  EXPECT_EQ(refusal(large), large + fmt::format(": error: larger than {} MiB", kMaxConfigBytes >> 20));
}

}  // namespace
}  // namespace sekisho::control
