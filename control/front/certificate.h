// The certificate of sekisho-api: made where the site gives none, watched for its end. OpenSSL 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sekisho::control {

struct CertificatePair {
  std::string certificate, key;  // PEM
};

// Self-signed, P-256, 825 days, for these names and addresses. Nothing: `why`.
std::optional<CertificatePair> make_certificate(const std::vector<std::string>& names_and_addresses,
                                                std::uint64_t now_wall_s, std::string& why);

// When the first certificate of a PEM text ends (seconds of wall time).
std::optional<std::uint64_t> certificate_ends(const std::string& pem);
// SHA-256 over the DER form, as browsers show it: "AB:CD:…". Empty: not a certificate.
std::string certificate_fingerprint(const std::string& pem);
// The key belongs to the certificate.
bool pair_fits(const CertificatePair& pair);

}  // namespace sekisho::control
