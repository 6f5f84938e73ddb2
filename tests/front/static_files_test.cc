#include "control/front/static_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sekisho::control {
namespace {
namespace fs = std::filesystem;

class Console : public ::testing::Test {
 protected:
  Console() {
    std::string pattern = ::testing::TempDir() + "consoleXXXXXX";
    directory_ = mkdtemp(pattern.data());
    fs::create_directories(directory_ + "/www/assets");
    write("/www/index.html", "<p>hello</p>");
    write("/www/assets/a-1234.js", "let a = 1;");
    write("/www/assets/a-1234.js.gz", "GZIP");
    write("/www/assets/a-1234.js.br", "BROTLI");
    write("/secret.txt", "secret");
    fs::create_symlink(directory_ + "/secret.txt", directory_ + "/www/link.txt");
    write("/www/.hidden", "x");
    std::string why;
    loaded_ = files_.load(directory_ + "/www", why);
  }
  ~Console() override { fs::remove_all(directory_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + name) << text;
  }
  std::string directory_;
  StaticFiles files_;
  bool loaded_ = false;
};

TEST_F(Console, ServesWhatIsThere) {
  ASSERT_TRUE(loaded_);
  EXPECT_EQ(files_.size(), 2u);
  const StaticFile* page = files_.find("/");
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(page, files_.find("/index.html"));
  EXPECT_EQ(page->plain, "<p>hello</p>");
  EXPECT_EQ(page->type, "text/html; charset=utf-8");
  EXPECT_FALSE(page->immutable);
  const StaticFile* script = files_.find("/assets/a-1234.js");
  ASSERT_NE(script, nullptr);
  EXPECT_TRUE(script->immutable);
  EXPECT_EQ(script->gzip, "GZIP");
  EXPECT_EQ(script->brotli, "BROTLI");
  EXPECT_NE(script->tag, page->tag);
}

TEST_F(Console, NoPathClimbsAndNoLinkLeadsOut) {
  for (const char* path :
       {"/../secret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
        "//etc/passwd", "/etc/passwd", "/link.txt", "/.hidden", "", "/assets/", "/assets/a-1234.js.gz"})
    EXPECT_EQ(files_.find(path), nullptr) << path;
}

TEST_F(Console, AFolderThatIsNotThereIsNamed) {
  StaticFiles none;
  std::string why;
  EXPECT_FALSE(none.load(directory_ + "/nothing", why));
  EXPECT_NE(why.find("nothing"), std::string::npos);
}

}  // namespace
}  // namespace sekisho::control
