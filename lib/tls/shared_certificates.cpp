#include "tls/shared_certificates.hpp"

#include <string_view>

#include "spec/policy_row.hpp"

namespace postern::tls {
namespace {

// All of it that load() heeds, but not the time. No path and no list has a NUL.
std::string key_of(const TlsSettings& settings, std::span<const CertificateFiles> others) {
  std::string key;
  const auto add = [&key](std::string_view text) { key.append(text).push_back('\0'); };
  add(settings.certificate_path);
  add(settings.key_path);
  add(settings.ciphers);
  add(settings.ciphers.empty() ? spec::cipher_list(settings.guards) : std::string_view());
  add(settings.groups);
  add(settings.only_tls_1_3 ? "only TLS 1.3" : "");
  add(settings.gives_tickets ? "tickets" : "");
  for (const CertificateFiles& each : others) {
    add(each.certificate);
    add(each.key);
  }
  return key;
}

}  // namespace

const SharedCertificates::Loaded& SharedCertificates::load(const TlsSettings& settings,
                                                           std::span<const CertificateFiles> others) {
  std::string key = key_of(settings, others);
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  ++loads_;
  return known_.emplace(std::move(key), Certificates::load(settings, others)).first->second;
}

void SharedCertificates::forget_failures() {
  std::erase_if(known_, [](const auto& each) { return !each.second.has_value(); });
}

}  // namespace postern::tls
