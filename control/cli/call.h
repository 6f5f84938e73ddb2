// One request to sekishod and what came back. Thread: the command line's only one.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace sekisho::cli {

struct Settings {
  std::string run_directory = "/run/sekisho";
  std::string state_directory = "/var/lib/sekisho";
  std::string bpffs = "/sys/fs/bpf";
  // Over TLS, by sekisho-api, instead of the sockets.
  std::string url;               // https://HOST:PORT
  std::string token_file;        // a bearer token; else the session of `sekisho login`
  std::string certificate, key;  // of this client
  std::string ca;                // to trust; empty: the machine's
  bool json = false;
  bool japanese = false;
  std::string cut_socket() const { return run_directory + "/cut.sock"; }
  std::string api_socket() const { return run_directory + "/api.sock"; }
};

// Exit statuses of every command.
inline constexpr int kDone = 0;
inline constexpr int kRefused = 1;  // said no, or not confirmed
inline constexpr int kUsage = 2;
inline constexpr int kUnreachable = 3;  // nobody answers at the socket

struct Answer {
  int exit = kDone;  // kRefused and kUnreachable have already been explained on stderr
  nlohmann::json body;
  bool ok() const { return exit == kDone; }
};

// Sockets of this machine, or --url. `socket` is where it goes without --url.
Answer get(const Settings& settings, const std::string& path,
           const std::multimap<std::string, std::string>& query = {});
Answer post(const Settings& settings, const std::string& socket, const std::string& path,
            const nlohmann::json& body, unsigned timeout_s = 180);

// What is there, into a new file (0600). The exit status; failures have been explained on stderr.
int download(const Settings& settings, const std::string& path,
             const std::multimap<std::string, std::string>& query, const std::string& file);

// --json: the body as it is. True if that was done.
bool print_json(const Settings& settings, const nlohmann::json& body);

// Columns, padded; the first row is the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);
std::string human_bytes(std::uint64_t bytes);
// "10.0.0.5", or "CT-2 (10.0.0.5)".
std::string host_text(const nlohmann::json& host);

}  // namespace sekisho::cli
