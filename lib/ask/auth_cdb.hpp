// User names and password hashes in a cdb: the key is the name exactly as sent, the value hash,NAME="VALUE",...
// in      a path that lives as long as the AuthCdb; Credentials; the time
// out     accepted, with the pairs; or rejected: unknown user, no usable password hash, bad password, expired
// errors  broken: the file cannot be read, is no cdb, or its PASSWORD_EXPIRES is not a number
// time    an unknown user, and one without a password, costs the same as a wrong password: the password is hashed all
//         the same, with the setting of the first usable hash in the file. Hashes of unequal cost in one file still
//         show; the answer is to give all users the same method and cost
// source  jms1 patch 7.08: AUTH_CDB; deviation D8 (PASSWORD_EXPIRES is enforced)
#pragma once

#include <string>

#include "ask/credentials.hpp"

namespace postern::ask {

class AuthCdb final : public Backend {
 public:
  explicit AuthCdb(const char* path) : path_(path) {}
  [[nodiscard]] CheckResult check(const Credentials& credentials, std::uint64_t now_seconds) override;
  [[nodiscard]] std::string_view environment_pairs() const override { return pairs_; }

 private:
  const char* path_;
  std::string pairs_;
};

}  // namespace postern::ask
