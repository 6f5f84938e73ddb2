// sekisho-api: the console and the API over TLS. Unprivileged; forwards what people ask to sekishod.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "control/front/certificate.h"
#include "control/front/front_server.h"
#include "control/front/sandbox.h"

namespace {

using namespace sekisho::control;
namespace asio = boost::asio;

void say(const std::string& text) {
  std::fprintf(stderr, "sekisho-api: %s\n", text.c_str());
}

// Ends the process a moment after sekishod has written new settings or a new certificate: who watches over it
// (systemd) starts it anew, with them. Nothing can be opened any more by then.
class Watch {
 public:
  Watch(asio::io_context& io, int fd) : io_(io), inotify_(io, fd), pause_(io) { next(); }

 private:
  void next() {
    inotify_.async_read_some(asio::buffer(buffer_),
                             [this](boost::system::error_code error, std::size_t size) {
                               if (error) return;
                               if (is_ours(size)) {
                                 pause_.expires_after(std::chrono::milliseconds(500));
                                 pause_.async_wait([this](boost::system::error_code stopped) {
                                   if (stopped) return;
                                   say("the settings or the certificate have changed: starting anew");
                                   io_.stop();
                                 });
                               }
                               next();
                             });
  }
  bool is_ours(std::size_t size) const {
    for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
      inotify_event event;
      std::memcpy(&event, buffer_ + at, sizeof event);
      if (event.len > 0) {
        const std::string name = buffer_ + at + sizeof event;
        if (name == "api.json" || name.ends_with(".pem")) return true;
      }
      at += sizeof event + event.len;
    }
    return false;
  }
  asio::io_context& io_;
  asio::posix::stream_descriptor inotify_;
  asio::steady_timer pause_;
  char buffer_[4096];
};

int make_cert(const std::string& directory, const std::vector<std::string>& names) {
  std::string why;
  const auto pair = make_certificate(names, static_cast<std::uint64_t>(std::time(nullptr)), why);
  if (!pair) {
    say(why);
    return 1;
  }
  for (const auto& [name, text] : {std::pair{"/key.pem", &pair->key}, {"/cert.pem", &pair->certificate}}) {
    const std::string path = directory + name;
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const bool good = fd >= 0 && write(fd, text->data(), text->size()) == static_cast<ssize_t>(text->size());
    if (!good) say(path + ": " + std::strerror(errno));
    if (fd >= 0) close(fd);
    if (!good) return 1;
  }
  std::printf("%s/cert.pem  SHA-256 %s\n", directory.c_str(),
              certificate_fingerprint(pair->certificate).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = "/run/sekisho-front", console = "/usr/share/sekisho/console", user = "sekisho-api",
              cert_directory;
  std::vector<std::string> cert_names;
  CLI::App app{"sekisho-api: the console and the API over TLS, an unprivileged process of its own"};
  app.add_option("--front", directory, "where sekishod's front sockets and api.json are")
      ->capture_default_str();
  app.add_option("--console", console, "the console's files")->capture_default_str();
  app.add_option("--user", user, "whom to become if started as root: a name, or UID:GID")
      ->capture_default_str();
  app.add_option("--make-cert", cert_directory, "write a self-signed cert.pem and key.pem there, and end");
  app.add_option("--name", cert_names, "with --make-cert: host names and addresses");
  app.set_version_flag("--version", SEKISHO_VERSION);
  CLI11_PARSE(app, argc, argv);
  if (!cert_directory.empty())
    return make_cert(cert_directory, cert_names.empty() ? std::vector<std::string>{"sekisho"} : cert_names);

  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  FrontSettings settings;
  std::string why;
  for (bool said = false; !read_front_settings(directory + "/api.json", settings, why); said = true) {
    if (!said) say("waiting for [api] in the configuration (" + why + ")");
    sleep(1);
  }
  StaticFiles console_files;
  if (!console_files.load(console, why)) say("no console: " + why);
  try {
    const int watched = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watched < 0 || inotify_add_watch(watched, directory.c_str(), IN_MOVED_TO | IN_DELETE) < 0) {
      say(directory + ": " + std::strerror(errno));
      return 1;
    }
    asio::ssl::context tls = make_tls(directory, settings.client_ca);
    asio::io_context io(1);
    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&io](boost::system::error_code, int) { io.stop(); });
    Watch watch(io, watched);
    FrontServer server(io, tls, console_files, settings, directory);
    if (!server.listen(why) || !become(user, why)) {
      say(why);
      return 1;
    }
    const std::string held = forbid_files();
    if (!forbid_calls(why)) {
      say("no sandbox: " + why);
      return 1;
    }
    say("ready on " + settings.address + ":" + std::to_string(settings.port) + ", " +
        std::to_string(console_files.size()) + " files of the console; Landlock holds " + held);
    server.start();
    io.run();
    // Not by destructors: connections that still wait hold what they would destroy. The kernel closes them.
    std::fflush(nullptr);
    _exit(0);
  } catch (const std::exception& e) {
    say(e.what());
    return 1;
  }
  return 0;
}
