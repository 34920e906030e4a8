// The certificates of all classes of clients: those that are spoken with in the same way are loaded and tried once.
// in      how TLS is spoken; the files beside the first, as Certificates has them
// out     Certificates, shared by all that asked for the same; loads() counts what was read from files
// lives   as long as one judgement of a configuration and what it serves: a reload makes its own, and reads all again
// threads one at a time
// errors  a sentence as Certificates has it, the same for all callers, until forget_failures(): the cause may pass
// source  lib/tls/context.hpp
#pragma once

#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "tls/certificates.hpp"

namespace postern::tls {

class SharedCertificates {
 public:
  using Loaded = std::expected<std::shared_ptr<const Certificates>, std::string>;
  [[nodiscard]] const Loaded& load(const TlsSettings& settings, std::span<const CertificateFiles> others);
  void forget_failures();
  [[nodiscard]] std::size_t loads() const { return loads_; }

 private:
  std::map<std::string, Loaded> known_;
  std::size_t loads_ = 0;
};

}  // namespace postern::tls
