#include "control/front/certificate.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <memory>

namespace sekisho::control {
namespace {

constexpr std::uint64_t kDays = 825;  // what browsers take at most

template <auto F>
struct Free {
  template <typename T>
  void operator()(T* p) const {
    F(p);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;

Certificate read(const std::string& pem) {
  const Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

bool is_address(const std::string& text) {
  std::array<unsigned char, 16> bytes;
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  const bool good = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return good;
}

}  // namespace

std::optional<CertificatePair> make_certificate(const std::vector<std::string>& names,
                                                std::uint64_t now_wall_s, std::string& why) {
  why = "OpenSSL cannot make a certificate";
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  if (!key || !certificate || names.empty()) return std::nullopt;
  X509* x = certificate.get();
  std::array<unsigned char, 16> serial;
  if (RAND_bytes(serial.data(), serial.size()) != 1) return std::nullopt;
  serial[0] &= 0x7f;
  BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
  BN_free(number);
  // A day back: clocks differ.
  const std::time_t now = static_cast<std::time_t>(now_wall_s);
  ASN1_TIME_set(X509_getm_notBefore(x), now - 86400);
  ASN1_TIME_set(X509_getm_notAfter(x), now + static_cast<std::time_t>(kDays) * 86400);
  X509_NAME* subject = X509_get_subject_name(x);
  std::string alternatives;
  for (const std::string& name : names)
    alternatives += (alternatives.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;
  const auto* common = reinterpret_cast<const unsigned char*>(names[0].c_str());
  const bool good =
      X509_set_version(x, X509_VERSION_3) == 1 && X509_set_pubkey(x, key.get()) == 1 &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, common, -1, -1, 0) == 1 &&
      X509_set_issuer_name(x, subject) == 1 && add_extension(x, NID_subject_alt_name, alternatives) &&
      add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key.get(), EVP_sha256()) > 0;
  const Bio out(BIO_new(BIO_s_mem())), secret(BIO_new(BIO_s_mem()));
  if (!good || !out || !secret || PEM_write_bio_X509(out.get(), x) != 1 ||
      PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return std::nullopt;
  why.clear();
  return CertificatePair{text_of(out.get()), text_of(secret.get())};
}

std::optional<std::uint64_t> certificate_ends(const std::string& pem) {
  const Certificate certificate = read(pem);
  std::tm when{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &when) != 1) return std::nullopt;
  return static_cast<std::uint64_t>(timegm(&when));
}

std::string certificate_fingerprint(const std::string& pem) {
  const Certificate certificate = read(pem);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  if (!certificate || X509_digest(certificate.get(), EVP_sha256(), hash.data(), &size) != 1) return {};
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    char hex[4];
    std::snprintf(hex, sizeof hex, i == 0 ? "%02X" : ":%02X", hash[i]);
    out += hex;
  }
  return out;
}

bool pair_fits(const CertificatePair& pair) {
  const Certificate certificate = read(pair.certificate);
  const Bio in(BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size())));
  if (!certificate || !in) return false;
  const Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  return key && X509_check_private_key(certificate.get(), key.get()) == 1;
}

}  // namespace sekisho::control
