// postern passwd: the users of an AUTH_CDB.
#include <crypt.h>
#include <fcntl.h>
#include <sys/file.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "ask/auth_records.hpp"
#include "base/child.hpp"
#include "base/text_lines.hpp"
#include "base/wipe.hpp"
#include "cli/cdb_records.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr unsigned new_file_mode = 0640;
constexpr std::size_t max_password_octets = 255;  // checkpassword(8) has 512 for name, password and more
constexpr const char* method = "$y$";             // yescrypt

struct Options {
  std::string file, user;
  bool deletes = false, lists = false;
};

// The terminal must not show it.
class NoEcho {
 public:
  NoEcho() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~NoEcho() { ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
};

std::string read_line(const std::string& prompt) {
  std::fputs(prompt.c_str(), stderr);
  std::string line;
  std::getline(std::cin, line);
  if (!prompt.empty()) std::fputc('\n', stderr);
  return line;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// As an editor of any system left it. A blank may be meant, and an end of a line may not be.
std::string read_password_line() {
  std::string line = read_line("");
  const auto say = [](const char* what) { std::fprintf(stderr, "postern: the password's line %s\n", what); };
  if (line.starts_with(base::utf8_mark)) {
    line.erase(0, base::utf8_mark.size());
    say("begins with a byte order mark, which is left out");
  }
  if (line.ends_with('\r')) {
    line.pop_back();
    say("ends with a carriage return, which is left out");
  }
  if (!line.empty() && is_blank(line.back())) say("ends with a blank, which is a part of it");
  return line;
}

std::string ask_for_password(const std::string& user) {
  std::string password;
  if (::isatty(STDIN_FILENO) == 0) {
    password = read_password_line();
  } else {
    const NoEcho silence;
    password = read_line("Password of " + user + ": ");
    if (read_line("The same again: ") != password) throw audit::UsageError("the two differ; nothing was changed");
  }
  if (password.empty()) throw audit::UsageError("an empty password; nothing was changed");
  if (password.size() > max_password_octets || base::has_stray_control(password))
    throw audit::UsageError("a password has at most 255 octets and no control characters; nothing was changed");
  return password;
}

std::string hash_of(std::string& password) {
  const char* salt = ::crypt_gensalt(method, 0, nullptr, 0);
  const char* hash = salt == nullptr ? nullptr : ::crypt(password.c_str(), salt);
  const std::string made = hash == nullptr || *hash == '*' ? "" : hash;
  base::wipe(std::span(password));
  if (made.empty()) throw audit::UsageError("crypt(3) of this machine does not know yescrypt");
  return made;
}

// What follows the hash is the administrator's: `,NAME="VALUE"`.
std::string pairs_of(const std::string& value) { return std::string(ask::split_auth_record(value).pairs); }

// One change at a time.
class Lock {
 public:
  explicit Lock(const std::string& file) {
    const std::filesystem::path folder =
        std::filesystem::weakly_canonical(std::filesystem::absolute(file)).parent_path();
    folder_ = base::Descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder_.is_open() || ::flock(folder_.number(), LOCK_EX) != 0)
      throw audit::UsageError(folder.string() + ": cannot be used: " + std::strerror(errno));
  }

 private:
  base::Descriptor folder_;
};

int list(const Options& options) {
  for (const auto& [user, value] : read_cdb(options.file)) print(user + "\n");
  return 0;
}

// The value of the user's first record, which is the one that counts; all of them are taken out.
std::optional<std::string> take_out(CdbRecords& records, const std::string& user) {
  const auto is_his = [&](const auto& record) { return record.first == user; };
  const auto found = std::ranges::find_if(records, is_his);
  if (found == records.end()) return std::nullopt;
  const std::string value = found->second;
  std::erase_if(records, is_his);
  return value;
}

void check_name(const std::string& user) {
  if (user.empty()) throw audit::UsageError("whose password? postern passwd FILE USER; --list lists the users");
  if (user.size() > max_password_octets || user.contains('\t') || base::has_stray_control(user))
    throw audit::UsageError("a user's name has at most 255 octets and no control characters");
  if (is_blank(user.front()) || is_blank(user.back()) || user.starts_with(base::utf8_mark))
    throw audit::UsageError(
        "a user's name neither begins nor ends with a blank, and has no byte order mark: nobody would send it");
}

int change(const Options& options) {
  check_name(options.user);
  std::string password = options.deletes ? "" : ask_for_password(options.user);
  const std::string hash = options.deletes ? "" : hash_of(password);
  const Lock lock(options.file);
  const bool is_new_file = !std::filesystem::exists(options.file);
  CdbRecords records = is_new_file ? CdbRecords{} : read_cdb(options.file);
  const auto before = take_out(records, options.user);
  if (options.deletes && !before) throw audit::UsageError(options.file + ": no user " + options.user);
  if (!options.deletes) records.emplace_back(options.user, hash + pairs_of(before.value_or("")));
  write_cdb(options.file, records, new_file_mode);
  print(options.user +
        (options.deletes ? " is gone from "
         : before        ? " has a new password in "
                         : " is new in ") +
        options.file + "\n");
  if (is_new_file) print("the user who serves must be able to read it: chgrp his group, mode 0640 is set\n");
  return 0;
}

}  // namespace

void add_passwd(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "passwd",
      "Sets the password of a user in an AUTH_CDB, which is made when there is none: asks twice at a terminal, else "
      "reads\n"
      "one line from standard input. The hash is yescrypt. The file is replaced at once, with its owner and mode; "
      "what\n"
      "stands after the hash of a user (NAME=\"VALUE\") stays.\n"
      "\n"
      "  postern passwd /var/lib/postern/users.cdb alice\n"
      "  postern passwd users.cdb alice <password.txt\n"
      "  postern passwd users.cdb alice --delete\n"
      "  postern passwd users.cdb --list\n"
      "\n"
      "A running server uses the change at the next AUTH. Exit code: 0; 100 nothing was changed.");
  const auto options = std::make_shared<Options>();
  verb->add_option("file", options->file, "the cdb")->required()->type_name("FILE");
  verb->add_option("user", options->user, "as the client sends it to AUTH")->type_name("USER");
  CLI::Option* deletes = verb->add_flag("--delete", options->deletes, "removes the user");
  verb->add_flag("--list", options->lists, "the names of all users")->excludes(deletes);
  verb->callback([&program, options] {
    program.chosen = [options] { return options->lists ? list(*options) : change(*options); };
  });
}

}  // namespace postern::cli
