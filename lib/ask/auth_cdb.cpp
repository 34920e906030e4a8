#include "ask/auth_cdb.hpp"

#include <crypt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <expected>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "ask/auth_environment.hpp"
#include "ask/auth_records.hpp"
#include "base/number.hpp"
#include "base/wipe.hpp"
#include "config/cdb_file.hpp"
#include "config/foreign_settings.hpp"

namespace postern::ask {
namespace {

constexpr int max_values_tried = 64;  // in search of a usable hash: an attacker may ask often, and the file may be long

using Record = AuthRecord;

// Could any password match it? `*` and `!` lock an account, and an empty hash matches no password.
bool is_usable(std::string_view hash) {
  if (hash.empty() || hash.size() >= CRYPT_OUTPUT_SIZE || hash.contains('\0')) return false;
  const int salt = ::crypt_checksalt(std::string(hash).c_str());
  return salt != CRYPT_SALT_INVALID && salt != CRYPT_SALT_METHOD_DISABLED;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  int difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == 0;
}

// yescrypt and the like say EINVAL, as for a bad setting, when they get no memory (libxcrypt 4.4). A record of theirs
// that is whole, and whose setting was looked at before, is no reason for that.
bool is_whole_and_wants_memory(std::string_view hash) {
  constexpr std::size_t octets_of_the_hash = 43;
  constexpr std::array<std::string_view, 3> methods{"$y$", "$gy$", "$7$"};
  const bool wants_memory =
      std::ranges::any_of(methods, [hash](std::string_view method) { return hash.starts_with(method); });
  return wants_memory && hash.size() - hash.rfind('$') == octets_of_the_hash + 1;
}

// crypt(3) with everything it touched wiped; `hash` is setting and expected result in one.
bool matches(const base::SecretBuffer<CRYPT_MAX_PASSPHRASE_SIZE>& password, std::string_view hash) {
  crypt_data work;
  work.initialized = 0;
  errno = 0;
  const char* result = ::crypt_r(password.c_str(), std::string(hash).c_str(), &work);
  const bool is_hash = result != nullptr && result[0] != '*';
  const bool is_equal = is_hash && equal_in_constant_time(result, hash);
  const bool has_memory = is_hash || (errno != ENOMEM && !is_whole_and_wants_memory(hash));
  ::explicit_bzero(&work, sizeof work);
  if (!has_memory) throw std::bad_alloc();  // or else the right password would be called a wrong one
  return is_equal;
}

constexpr int most_readings = 5;  // of a file that changes while it is read

struct UserFile {
  std::unique_ptr<config::CdbFile> file;
  std::optional<std::string> value;  // of the user
};

std::expected<UserFile, std::string_view> read_user(const char* path, std::string_view username) {
  for (int reading = 0; reading < most_readings; ++reading) {
    auto file = std::make_unique<config::CdbFile>();
    if (const int error_number = file->open(path); error_number != 0 && error_number != EPROTO)
      return std::unexpected("cannot read AUTH_CDB");
    const auto found = file->find(username);
    if (found) return UserFile{.file = std::move(file), .value = std::optional<std::string>(*found)};
    if (found.error() != ESTALE) return std::unexpected("AUTH_CDB is malformed");
  }
  return std::unexpected("AUTH_CDB changes while it is read: write another file and rename it");
}

// The setting that hashes an unknown user's password; empty when no user in the file has a password.
std::string setting_for_strangers(config::CdbFile& users) {
  config::CdbFile::Values values(users);
  for (int tried = 0; tried < max_values_tried; ++tried) {
    const auto value = values.next();
    if (!value) break;
    if (const auto hash = split_auth_record(*value).hash; is_usable(hash)) return std::string(hash);
  }
  return {};
}

enum class Expiry : std::uint8_t { valid, expired, unreadable };

Expiry expiry_of(std::string_view pairs, std::uint64_t now_seconds) {
  while (const auto pair = take_pair(pairs)) {
    if (pair->name != "PASSWORD_EXPIRES" || pair->text.empty()) continue;
    const auto seconds = base::parse_unsigned(pair->text, std::numeric_limits<std::uint64_t>::max());
    if (!seconds) return Expiry::unreadable;
    if (*seconds != 0 && *seconds <= now_seconds) return Expiry::expired;  // deviation D8
  }
  return Expiry::valid;
}

// A user for whom a filter of the original is set is not served without it.
std::optional<std::string> filter_of(std::string_view pairs) {
  while (const auto pair = take_pair(pairs))
    if (const auto found = config::find_foreign(pair->name, pair->text, "of the user");
        found && found->start == spec::ForeignStart::refuse)
      return found->sentence;
  return std::nullopt;
}

// The order of the tests is the order of what may be revealed: only the right password reveals that it expired.
CheckResult judge(std::optional<Record> record, bool password_matches, std::uint64_t now_seconds) {
  if (!record) return {Verdict::rejected, "unknown user"};
  if (!is_usable(record->hash)) return {Verdict::rejected, "no usable password hash"};
  if (!password_matches) return {Verdict::rejected, "bad password"};
  switch (expiry_of(record->pairs, now_seconds)) {
    case Expiry::valid: break;
    case Expiry::expired: return {Verdict::rejected, "expired"};
    case Expiry::unreadable: return {Verdict::broken, "PASSWORD_EXPIRES is not a number"};
  }
  if (auto filter = filter_of(record->pairs)) return {Verdict::broken, std::move(*filter)};
  return {Verdict::accepted, {}};
}

}  // namespace

CheckResult AuthCdb::check(const Credentials& credentials, std::uint64_t now_seconds) {
  pairs_.clear();
  base::SecretBuffer<CRYPT_MAX_PASSPHRASE_SIZE> password;
  if (has_nul(credentials)) return {Verdict::rejected, "NUL in the credentials"};
  if (!password.append_terminated(credentials.password)) return {Verdict::rejected, "credentials too long"};

  const auto users = read_user(path_, credentials.username);
  if (!users) return {Verdict::broken, std::string(users.error())};
  std::optional<Record> record;
  if (const auto& value = users->value) record = split_auth_record(*value);
  const bool is_own_hash = record && is_usable(record->hash);
  const std::string hash = is_own_hash ? std::string(record->hash) : setting_for_strangers(*users->file);
  const bool password_matches = matches(password, hash) && is_own_hash;
  const CheckResult result = judge(record, password_matches, now_seconds);
  if (record && result.verdict == Verdict::accepted) pairs_ = record->pairs;
  return result;
}

}  // namespace postern::ask
