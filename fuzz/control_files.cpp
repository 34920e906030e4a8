// What an operator's files may hold: [which file] [a question, ended by NUL] then the file.
// oracle  naive readings of lines and lists; of a cdb: what is found is in the file, under its key, by a look at every
//         record; no password is accepted of a file of junk. Files lie in memory (/dev/shm), in a folder of this process
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/auth_cdb.hpp"
#include "daemon/badmailfrom.hpp"
#include "daemon/cdb_file.hpp"
#include "daemon/control.hpp"
#include "daemon/number.hpp"
#include "daemon/rcpthosts.hpp"
#include "fuzz/mutate.hpp"

namespace {

using namespace postern;
using namespace postern::daemon;

void must(bool is_so, const char* what) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// A home of our own, below which control/ lies.
class Home {
 public:
  Home() {
    must(mkdtemp(path_) != nullptr && chdir(path_) == 0 && mkdir("control", 0700) == 0, "no folder in /dev/shm");
    std::atexit([] { std::filesystem::remove_all(std::filesystem::current_path()); });
  }
  void write(const char* name, std::string_view text) {
    std::FILE* const file = std::fopen(name, "wb");
    must(file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fclose(file) == 0,
         "cannot write in /dev/shm");
  }

 private:
  char path_[32] = "/dev/shm/postern-fuzz-XXXXXX";
};

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

std::string_view naive_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string> naive_entries(std::string_view text) {
  std::vector<std::string> entries;
  while (!text.empty()) {
    const std::string entry = lowered(naive_line(text));
    if (!entry.empty() && entry[0] != '#') entries.push_back(entry);
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return entries;
}

bool holds(const std::vector<std::string>& entries, std::string_view entry) {
  return std::ranges::find(entries, lowered(entry)) != entries.end();
}

void check_rcpthosts(Home& home, std::string_view address, std::string_view text) {
  home.write("control/rcpthosts", text);
  RcptHosts hosts;
  const auto standing = hosts.standing_of(address);
  if (standing == RcptHosts::Standing::unknowable) return must(!hosts.problem().empty(), "unknowable without a reason");
  const auto entries = naive_entries(text);
  const std::size_t at = address.rfind('@');
  bool is_ours = at == address.npos;
  const std::string_view domain = is_ours ? "" : address.substr(at + 1);
  if (!domain.empty() && holds(entries, domain)) is_ours = true;
  for (std::size_t i = 1; i < domain.size(); ++i)
    if (domain[i] == '.' && holds(entries, domain.substr(i))) is_ours = true;
  must(is_ours == (standing == RcptHosts::Standing::ours), "another standing");
}

void check_badmailfrom(Home& home, std::string_view address, std::string_view text) {
  home.write("control/badmailfrom", text);
  BadMailFrom bad;
  const auto listing = bad.listing_of(address);
  if (listing == BadMailFrom::Listing::unknowable) return must(!bad.problem().empty(), "unknowable without a reason");
  const auto entries = naive_entries(text);
  const std::size_t at = address.rfind('@');
  const bool is_listed =
      (!address.empty() && holds(entries, address)) || (at != address.npos && holds(entries, address.substr(at)));
  must(is_listed == (listing == BadMailFrom::Listing::listed), "another listing");
}

void check_line(Home& home, std::string_view text) {
  home.write("control/databytes", text);
  const auto line = read_line("databytes");
  if (!line) return must(!describe(line.error()).empty(), "a problem without words");
  must(line->has_value() && **line == naive_line(text), "another line");
  const auto number = read_number("databytes");
  const bool is_number = !(*line)->empty() && std::ranges::all_of(**line, [](char c) { return c >= '0' && c <= '9'; });
  if (number && number->has_value()) {
    std::string digits = std::to_string(**number), found(**line);
    found.erase(0, std::min(found.find_first_not_of('0'), found.size() - 1));
    must(is_number && digits == found, "another number");
  }
}

std::uint32_t number_at(std::string_view file, std::size_t at) {
  std::array<unsigned char, 4> octets{};
  std::memcpy(octets.data(), file.data() + at, 4);
  std::uint32_t number = 0;
  for (std::size_t i = 4; i > 0; --i) number = number << 8U | octets[i - 1];
  return number;
}

// cr.yp.to/cdb/cdb.txt: key and value of a record lie side by side behind their two lengths.
bool has_record(std::string_view file, std::string_view key, std::string_view value) {
  for (std::size_t at = 0; at + 8 <= file.size(); ++at) {
    if (number_at(file, at) != key.size() || number_at(file, at + 4) != value.size()) continue;
    const std::string_view rest = file.substr(at + 8);
    if (rest.starts_with(key) && rest.substr(key.size()).starts_with(value)) return true;
  }
  return false;
}

void check_cdb(Home& home, std::string_view key, std::string_view file) {
  home.write("users.cdb", file);
  static_cast<void>(inspect_cdb("users.cdb"));
  CdbFile cdb;
  if (cdb.open("users.cdb") != 0) return;
  const auto value = cdb.find(key);
  if (value && *value) must(has_record(file, key, **value), "a value that is not in the file");
  CdbFile::Values values(cdb);
  for (std::size_t most = file.size() + 1; const auto next = values.next(); --most) {
    must(most != 0, "a walk without end");
    must(next->empty() || file.contains(*next), "a value that is not in the file");
  }
}

void check_login(Home& home, std::string_view user, std::string_view file) {
  home.write("users.cdb", file);
  AuthCdb backend("users.cdb");
  const auto result = backend.check({.username = user, .password = "not to be guessed"}, 1'700'000'000);
  must(result.verdict != Verdict::accepted, "a password is accepted");
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_lines({data, most}, size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Home home;
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t end = std::min(rest.find('\0'), rest.size());
  const std::string_view question = rest.substr(0, end), file = rest.substr(std::min(end + 1, rest.size()));
  switch (data[0] % 16) {
    case 0:
    case 1:
    case 2: check_rcpthosts(home, question, file); break;
    case 3:
    case 4: check_badmailfrom(home, question, file); break;
    case 5:
    case 6:
    case 7: check_line(home, file); break;
    case 8: check_login(home, question, file); break;
    default: check_cdb(home, question, file); break;
  }
  return 0;
}
