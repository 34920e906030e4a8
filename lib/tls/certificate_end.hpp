// When a served certificate expires, for the log and the metrics.
// in      its file and its dates; the time now
// out     a sentence with date and days; whether it is time to renew it
// errors  none
// source  RFC 5280 4.1.2.5 (validity); spec/limits.hpp: certificate_warning_days
#pragma once

#include <cstdint>
#include <string>

namespace postern::tls {

inline constexpr std::int64_t day_seconds = 86400;

struct CertificateEnd {
  std::string file;
  std::int64_t begins_seconds, ends_seconds;  // since 1970

  friend bool operator==(const CertificateEnd&, const CertificateEnd&) = default;
};

// `x.pem: the certificate ends on 2026-12-05, in 7 days`, or `expired on`.
[[nodiscard]] std::string describe(const CertificateEnd& end, std::int64_t now_seconds);
// Fewer than certificate_warning_days are left, and less than a third of its life: automatic renewal is over by then,
// be it made for a year or for six days.
[[nodiscard]] bool is_to_be_renewed(const CertificateEnd& end, std::int64_t now_seconds);

}  // namespace postern::tls
