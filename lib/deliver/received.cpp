#include "deliver/received.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/angle_path.hpp"
#include "spec/limits.hpp"

namespace postern::deliver {
namespace {

bool is_alphanumeric(char octet) {
  return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9');
}

// qmail-smtpd: safeput. A client cannot close our comment, open its own, or start a line.
bool is_safe(char octet) { return is_alphanumeric(octet) || std::string_view(".@%+/=:-").contains(octet); }

void append_safe(std::string& field, std::string_view octets) {
  for (const char octet : octets.substr(0, spec::max_host_octets)) field += is_safe(octet) ? octet : '?';
}

// The names of OpenSSL have underscores: TLS_AES_256_GCM_SHA384.
void append_cipher(std::string& field, std::string_view name) {
  for (const char octet : name.substr(0, spec::max_host_octets)) field += is_safe(octet) || octet == '_' ? octet : '?';
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

void append_client(std::string& field, const TraceFacts& facts) {
  const std::string_view host = facts.remote_host.empty() ? "unknown" : facts.remote_host;
  append_safe(field, host);
  if (facts.session.greeting != engine::SessionTrace::Greeting::none &&
      !equal_ignoring_case(host, facts.session.helo)) {
    field += " (HELO ";
    append_safe(field, facts.session.helo);
    field += ')';
  }
  field += " (";
  if (!facts.remote_info.empty()) {
    append_safe(field, facts.remote_info);
    field += '@';
  }
  append_safe(field, facts.remote_ip);
  field += ')';
}

// RFC 3848 names variants of ESMTP only: after HELO, or no greeting, the word stays SMTP whatever else is true.
std::string_view protocol(const TraceFacts& facts) {
  if (facts.session.greeting != engine::SessionTrace::Greeting::ehlo) return "SMTP";
  if (facts.session.has_tls) return facts.session.is_authenticated ? "ESMTPSA" : "ESMTPS";
  return facts.session.is_authenticated ? "ESMTPA" : "ESMTP";
}

void append_protocol(std::string& field, const TraceFacts& facts) {
  field += protocol(facts);
  if (!facts.session.has_tls || facts.tls_version.empty()) return;
  field += " (";
  append_cipher(field, facts.tls_version);
  if (!facts.tls_cipher.empty()) field += ' ';
  append_cipher(field, facts.tls_cipher);
  field += ')';
}

struct CivilDate {
  std::int64_t year;
  unsigned month, day;  // from 1
};

// Years begin in March here, so that the leap day is the last day of one; an era is 400 years.
CivilDate civil_from_days(std::int64_t days_since_1970) {
  constexpr std::int64_t days_per_era = 146097;
  constexpr std::int64_t days_to_1970 = 719468;  // from 1 March of the year 0
  const std::int64_t days = days_since_1970 + days_to_1970;
  const std::int64_t era = (days >= 0 ? days : days - (days_per_era - 1)) / days_per_era;
  const auto day_of_era = static_cast<unsigned>(days - era * days_per_era);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_from_march = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {.year = year_of_era + era * 400 + (month <= 2 ? 1 : 0), .month = month, .day = day};
}

void append_number(std::string& text, std::int64_t number) {
  std::array<char, 20> digits{};
  text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

void append_two_digits(std::string& text, std::int64_t number) {
  text += static_cast<char>('0' + number / 10);
  text += static_cast<char>('0' + number % 10);
}

void append_date(std::string& text, std::int64_t unix_time) {
  constexpr std::int64_t seconds_per_day = 86400;
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::int64_t second = ((unix_time % seconds_per_day) + seconds_per_day) % seconds_per_day;
  const CivilDate date = civil_from_days((unix_time - second) / seconds_per_day);
  append_number(text, date.day);
  text += ' ';
  text += months.substr(3UZ * (date.month - 1), 3);
  text += ' ';
  append_number(text, date.year);
  text += ' ';
  append_two_digits(text, second / 3600);
  text += ':';
  append_two_digits(text, second / 60 % 60);
  text += ':';
  append_two_digits(text, second % 60);
  text += " -0000";
}

}  // namespace

std::string received_field(const TraceFacts& facts, MessageId id) {
  std::string field;
  field.reserve(256);  // one allocation for a usual client
  field += "Received: from ";
  append_client(field, facts);
  field += "\n  by ";
  append_safe(field, facts.local_host);
  field += " with ";
  append_protocol(field, facts);
  if (id.number != 0) field += " id " + id.text();
  field += "; ";
  append_date(field, id.unix_time);
  field += '\n';
  return field;
}

std::string return_path_field(std::string_view reverse_path) {
  return "Return-Path: " + base::angle_path(reverse_path) + '\n';
}

std::string delivered_to_field(std::string_view recipient) {
  return "Delivered-To: " + base::written_path(recipient) + '\n';
}

std::string mail_date(std::int64_t unix_time) {
  std::string text;
  append_date(text, unix_time);
  return text;
}

}  // namespace postern::deliver
