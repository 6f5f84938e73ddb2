#include "signatures/hyperscan.h"

#include <fmt/format.h>
#include <hs/hs.h>
#include <sodium.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <thread>

namespace sekisho::signatures {
namespace {

// Pure literals: hs_compile_lit_multi leaves out the regular expression compiler. No SINGLEMATCH: it takes
// the scan off the path for pure literals, and postings with a range need every end.
unsigned flags_of(const ScanLiteral& l) {
  return l.nocase ? HS_FLAG_CASELESS : 0;
}

CacheKey key_of(const DatabaseJob& job) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  const auto add = [&](const void* p, std::size_t n) {
    crypto_hash_sha256_update(&state, static_cast<const unsigned char*>(p), n);
  };
  const std::string version = fmt::format("literals block 1 {}", hs_version());
  add(version.data(), version.size() + 1);
  hs_platform_info_t platform{};
  hs_populate_platform(&platform);
  add(&platform.tune, sizeof platform.tune);
  add(&platform.cpu_features, sizeof platform.cpu_features);
  for (const ScanLiteral& l : job.literals) {
    const std::uint8_t head[2] = {static_cast<std::uint8_t>(l.nocase),
                                  static_cast<std::uint8_t>(l.bytes.size())};
    add(head, 2);
    add(l.bytes.data(), l.bytes.size());
  }
  CacheKey key;
  crypto_hash_sha256_final(&state, key.data());
  return key;
}

void compile(DatabaseJob& job) {
  const std::size_t n = job.literals.size();
  std::vector<const char*> text(n);
  std::vector<unsigned> flags(n), ids(n);
  std::vector<std::size_t> lengths(n);
  for (std::size_t i = 0; i < n; ++i) {
    text[i] = job.literals[i].bytes.data();
    lengths[i] = job.literals[i].bytes.size();
    flags[i] = flags_of(job.literals[i]);
    ids[i] = static_cast<unsigned>(i);
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_lit_multi(text.data(), flags.data(), ids.data(), lengths.data(), static_cast<unsigned>(n),
                           HS_MODE_BLOCK, nullptr, &database, &error) != HS_SUCCESS) {
    job.failure =
        fmt::format("Hyperscan: {}", error != nullptr && error->message ? error->message : "out of memory");
    hs_free_compile_error(error);
    return;
  }
  char* bytes = nullptr;
  std::size_t size = 0;
  const hs_error_t e = hs_serialize_database(database, &bytes, &size);
  hs_free_database(database);
  if (e != HS_SUCCESS) {
    job.failure = fmt::format("hs_serialize_database: error {}", e);
    return;
  }
  job.serialized.assign(bytes, bytes + size);
  std::free(bytes);
}

// What came from the cache must be taken by this library and machine.
bool fits(const std::vector<std::uint8_t>& serialized) {
  std::size_t size = 0;
  return hs_serialized_database_size(reinterpret_cast<const char*>(serialized.data()), serialized.size(),
                                     &size) == HS_SUCCESS;
}

void work(DatabaseJob& job, DiskCache* cache) {
  const auto begin = std::chrono::steady_clock::now();
  CacheKey key{};
  if (cache != nullptr) {
    key = key_of(job);
    if (cache->load(key, job.serialized) && fits(job.serialized)) {
      job.cached = true;
      return;
    }
    job.serialized.clear();
  }
  compile(job);
  if (cache != nullptr && job.failure.empty()) cache->store(key, job.serialized);
  job.milliseconds =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

void compile_databases(std::vector<DatabaseJob>& jobs, unsigned threads, DiskCache* cache) {
  // The largest first, so that no thread is left with it alone at the end.
  std::vector<std::size_t> order(jobs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return jobs[a].literals.size() > jobs[b].literals.size(); });
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < order.size(); i = next++) work(jobs[order[i]], cache);
  };
  std::vector<std::thread> others;
  const std::size_t wanted = std::min<std::size_t>(std::max(threads, 1u), jobs.size());
  for (std::size_t i = 1; i < wanted; ++i) others.emplace_back(run);
  run();
  for (std::thread& t : others) t.join();
}

}  // namespace sekisho::signatures
