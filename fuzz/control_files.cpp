// What an operator's files may hold: [which file] [a question, ended by NUL] then the file.
// oracle  naive readings of lines, lists and address literals; of a cdb: what is found is in the file, under its key, by a
//         look at every record; no password is accepted of a file of junk; the right one is, unless what follows its
//         hash says otherwise to a naive reader. Files lie in memory (/dev/shm), in a folder of this process
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
#include <utility>
#include <vector>

#include "ask/address_list.hpp"
#include "ask/auth_cdb.hpp"
#include "ask/dns_lists.hpp"
#include "ask/localiphost.hpp"
#include "ask/rcpthosts.hpp"
#include "ask/valid_recipients.hpp"
#include "base/number.hpp"
#include "config/cdb_file.hpp"
#include "config/control.hpp"
#include "config/dns_lists.hpp"
#include "dns/name.hpp"
#include "fuzz/cdb_of.hpp"
#include "fuzz/must.hpp"
#include "fuzz/mutate.hpp"
#include "spec/limits.hpp"

namespace {

using namespace postern;
using fuzz::must;
using namespace postern::ask;
using namespace postern::config;

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

std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

std::string_view naive_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (text.ends_with(' ') || text.ends_with('\t') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

std::vector<std::string> naive_entries(std::string_view text) {
  std::vector<std::string> entries;
  text = without_mark(text);
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
  std::string problem;
  const auto standing = hosts.standing_of(address, problem);
  RcptHosts read_before;
  read_before.read();
  must(std::as_const(read_before).standing_of(address, problem) == standing,
       "read before it is asked: another standing");
  if (standing == RcptHosts::Standing::unknowable) return must(!problem.empty(), "unknowable without a reason");
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
  AddressList bad("badmailfrom");
  const auto listing = bad.listing_of(address);
  AddressList read_before("badmailfrom");
  read_before.read();
  must(std::as_const(read_before).listing_of(address) == listing, "read before it is asked: another listing");
  if (listing == AddressList::Listing::unknowable) return must(!bad.problem().empty(), "unknowable without a reason");
  const auto entries = naive_entries(text);
  const std::size_t at = address.rfind('@');
  const bool is_listed =
      (!address.empty() && holds(entries, address)) || (at != address.npos && holds(entries, address.substr(at)));
  must(is_listed == (listing == AddressList::Listing::listed), "another listing");
}

void check_line(Home& home, std::string_view text) {
  home.write("control/databytes", text);
  const auto line = read_line("databytes");
  if (!line) return must(!describe(line.error()).empty(), "a problem without words");
  must(line->has_value() && **line == naive_line(without_mark(text)), "another line");
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

// cr.yp.to/cdb/cdb.txt: key and value of a record lie side by side after their two lengths.
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
  static_cast<void>(inspect_cdb("users.cdb", CdbLook::header));
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

constexpr std::uint64_t now_seconds = 1'700'000'000;

// deviation D8, of one PASSWORD_EXPIRES
Verdict naive_expiry(std::string digits) {
  if (digits.empty()) return Verdict::accepted;
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return Verdict::broken;
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.empty() || digits.size() > 20) return digits.empty() ? Verdict::accepted : Verdict::broken;
  const auto padded = [](const std::string& number) { return std::string(20 - number.size(), '0') + number; };
  if (padded(digits) > "18446744073709551615") return Verdict::broken;
  return padded(digits) <= padded(std::to_string(now_seconds)) ? Verdict::rejected : Verdict::accepted;
}

// `,NAME="VALUE"`, cut at its quotes, as often as it goes well.
Verdict naive_verdict(std::string_view pairs) {
  while (true) {
    const std::size_t opening = pairs.find('"'), closing = pairs.find('"', std::min(opening, pairs.size() - 1) + 1);
    if (pairs.empty() || closing == pairs.npos) return Verdict::accepted;
    const std::string_view left = pairs.substr(0, opening), text = pairs.substr(opening + 1, closing - opening - 1);
    if (left.size() < 3 || left.front() != ',' || left.back() != '=') return Verdict::accepted;
    const std::string_view name = left.substr(1, left.size() - 2);
    if (name.contains(',') || name.contains('=') || left.contains('\0') || text.contains('\0'))
      return Verdict::accepted;
    if (const Verdict says = naive_expiry(std::string(text)); name == "PASSWORD_EXPIRES" && says != Verdict::accepted)
      return says;
    pairs.remove_prefix(closing + 1);
  }
}

// spec/foreign.toml: a user whom one of these would judge is not let in without it.
bool names_a_filter(std::string_view pairs) {
  constexpr std::array<std::string_view, 3> names{"MFCHECK", "SPFBEHAVIOR", "SPF_BLOCK_PLUS_ALL"};
  return std::ranges::any_of(names, [&](std::string_view name) { return pairs.contains(name); });
}

void check_pairs(Home& home, std::string_view written) {
  const std::string_view pairs = written.substr(0, written.find_last_not_of(" \t\r\n") + 1);
  constexpr std::string_view hash_of_p = "ab8Smhzf5D4wA";  // crypt(3), the old method: it is quick
  home.write("users.cdb", fuzz::cdb_of("tim", std::string(hash_of_p) + std::string(written)));
  AuthCdb backend("users.cdb");
  if (names_a_filter(pairs)) return;
  const Verdict right = backend.check({.username = "tim", .password = "p"}, now_seconds).verdict;
  const bool is_hash_whole = pairs.empty() || pairs.front() == ',';
  must(right == (is_hash_whole ? naive_verdict(pairs) : Verdict::rejected), "the right password is judged otherwise");
  must(backend.environment_pairs() == (right == Verdict::accepted ? pairs : ""), "other pairs");
  const Verdict wrong = backend.check({.username = "tim", .password = "q"}, now_seconds).verdict;
  must(wrong == Verdict::rejected && backend.environment_pairs().empty(), "a wrong password is judged otherwise");
}

// All keys that could speak of an address, the first one first.
std::vector<std::string> naive_keys(const std::string& address) {
  const std::size_t at = address.rfind('@');
  std::vector<std::string> keys{address};
  for (std::size_t i = at; i > 0 && keys.size() <= spec::max_default_keys; --i)
    if (address[i - 1] == '-') keys.push_back(address.substr(0, i) + "default" + address.substr(at));
  keys.push_back(address.substr(at));
  return keys;
}

// Of any file: what is valid has a key in it.
void check_valid_recipients(Home& home, std::string_view address, std::string_view file) {
  home.write("valid.cdb", file);
  ValidRecipients asked("valid.cdb"), read_before("valid.cdb");
  std::string problem;
  const auto standing = asked.standing_of(address, problem);
  must((standing == ValidRecipients::Standing::unknowable) == !problem.empty(), "a reason without need, or none");
  read_before.read();
  must(std::as_const(read_before).standing_of(address, problem) == standing, "read before: another standing");
  if (standing != ValidRecipients::Standing::valid || !address.contains('@')) return;
  const std::string lowered_address = lowered(address);
  const auto is_there = [&](const std::string& key) { return file.contains(key); };
  must(lowered_address.starts_with("postmaster@") || std::ranges::any_of(naive_keys(lowered_address), is_there),
       "valid without a key");
}

// Of a file of one record, a line for its key and the rest for its value.
void check_valid_record(Home& home, std::string_view address, std::string_view text) {
  const std::string key = lowered(text.substr(0, text.find('\n')));
  const std::string_view value = text.substr(std::min(text.find('\n'), text.size() - 1) + 1);
  home.write("valid.cdb", fuzz::cdb_of(key, value));
  ValidRecipients list("valid.cdb");
  std::string problem;
  const auto standing = list.standing_of(address, problem);
  if (!address.contains('@')) return must(standing == ValidRecipients::Standing::valid, "not valid without a domain");
  const std::string lowered_address = lowered(address);
  const std::vector<std::string> keys = naive_keys(lowered_address);
  const bool is_there = std::ranges::find(keys, key) != keys.end();
  const bool is_valid = is_there ? !value.starts_with('-') : lowered_address.starts_with("postmaster@");
  must(is_valid == (standing == ValidRecipients::Standing::valid), "another standing");
}

// DNSBL: what is taken can be asked, has no error of a list among its answers, and is the same however its entries stand apart.
void check_dns_lists(std::string_view text) {
  const auto lists = postern::config::parse_dns_lists(text);
  if (!lists) {
    // The one key of the only entry, long enough not to be a word of the sentence.
    const std::string_view key = text.substr(0, text.find('@'));
    const bool is_one =
        key.size() > 24 && key.size() < text.size() && key.find_first_of(" ,\t") == std::string_view::npos;
    must(!is_one || !lists.error().contains(key), "a key is shown");
    return must(!lists.error().empty(), "refused without a sentence");
  }
  for (const postern::config::DnsList& list : *lists) {
    const std::optional<std::string> name =
        postern::ask::name_to_ask(list, *postern::base::parse_address(list.is_for_ipv4 ? "192.0.2.1" : "2001:db8::1"));
    must(name && postern::dns::Name::of(*name).has_value(), "a name that cannot be asked for");
    must(list.zone.ends_with(list.name) && list.weight != 0, "another zone, or no weight");
    for (unsigned last = 0; last < 256; ++last)
      must(!list.has({127, 255, 255, static_cast<std::uint8_t>(last)}), "an error of a list is a listing");
  }
  std::string apart(text);
  std::ranges::replace(apart, ' ', ',');
  const auto again = postern::config::parse_dns_lists(apart);
  must(again && again->size() == lists->size(), "commas are not as good as blanks");
}

// RFC 5321 4.1.3: four Snum, and each is that of 192.0.2.1.
bool is_our_literal(std::string_view domain) {
  if (domain.size() < 2 || domain.front() != '[' || domain.back() != ']') return false;
  std::string rest = std::string(domain.substr(1, domain.size() - 2)) + ".", numbers;
  while (!rest.empty()) {
    std::string number = rest.substr(0, rest.find('.'));
    rest.erase(0, number.size() + 1);
    const bool is_number = std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || number.empty() || number.size() > 3) return false;
    number.erase(0, std::min(number.find_first_not_of('0'), number.size()));
    numbers += number + ".";
  }
  return numbers == "192..2.1.";
}

void check_localiphost(Home& home, std::string_view domain, std::string_view text) {
  home.write("control/localiphost", text);
  const auto line = read_line("localiphost");
  const auto name = local_name_for(domain, "192.0.2.1");
  if (!is_our_literal(domain)) return must(name && !*name, "another's address is taken for ours");
  must(name.has_value() == line.has_value(), "another problem");
  if (name) must(name->has_value() && **name == naive_line(without_mark(text)), "another name");
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
    case 1: check_rcpthosts(home, question, file); break;
    case 2:
    case 3: check_badmailfrom(home, question, file); break;
    case 4:
    case 5: check_line(home, file); break;
    case 6:
    case 7: check_localiphost(home, question, file); break;
    case 9: check_pairs(home, file); break;
    case 8: check_login(home, question, file); break;
    case 10: check_valid_recipients(home, question, file); break;
    case 11: check_valid_record(home, question, file); break;
    case 12: check_dns_lists(file); break;
    default: check_cdb(home, question, file); break;
  }
  return 0;
}
