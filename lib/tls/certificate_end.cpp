#include "tls/certificate_end.hpp"

#include <ctime>

#include "spec/limits.hpp"

namespace postern::tls {
namespace {

std::string date_of(std::int64_t seconds) {
  const auto moment = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[sizeof "YYYY-MM-DD"];
  if (::gmtime_r(&moment, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%d", &parts) == 0)
    return "an unreadable date";
  return text;
}

}  // namespace

std::string describe(const CertificateEnd& end, std::int64_t now_seconds) {
  const std::string head = end.file + ": the certificate ";
  if (end.ends_seconds < now_seconds) return head + "expired on " + date_of(end.ends_seconds) + ": renew it";
  const std::int64_t days = (end.ends_seconds - now_seconds) / day_seconds;
  const std::string sentence =
      head + "ends on " + date_of(end.ends_seconds) + ", in " + std::to_string(days) + (days == 1 ? " day" : " days");
  return is_to_be_renewed(end, now_seconds) ? sentence + ": renew it" : sentence;
}

bool is_to_be_renewed(const CertificateEnd& end, std::int64_t now_seconds) {
  const std::int64_t left = end.ends_seconds - now_seconds;
  const std::int64_t life = end.ends_seconds - end.begins_seconds;
  return left < 0 || (left < spec::certificate_warning_days * day_seconds && left < life / 3);
}

}  // namespace postern::tls
