#include "limits/greylist_file.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/child.hpp"
#include "base/write_all.hpp"

namespace postern::limits {
namespace {

using Record = GreylistContents::Record;

constexpr std::string_view first_line = "postern greylist 1\n";
constexpr std::size_t record_octets = 24, digest_octets = 16;
constexpr std::size_t head_octets = first_line.size() + 16 + 8 + std::size_t{3} * 4;
constexpr std::size_t most_records = std::size_t{2} * spec::max_greylist_triples + spec::max_greylist_networks;
constexpr std::size_t most_octets = head_octets + most_records * record_octets + digest_octets;

template <typename Number>
void put(std::string& octets, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) octets.push_back(static_cast<char>(number >> (8 * i)));
}

template <typename Number>
Number take(std::string_view& octets) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number |= static_cast<Number>(Number{static_cast<unsigned char>(octets[i])} << (8 * i));
  octets.remove_prefix(sizeof number);
  return number;
}

// Against an accident; who may write the file may write any.
std::array<char, digest_octets> digest_of(std::string_view octets) {
  base::SipHash hash(base::SipHash::Key{});
  hash.add(octets);
  return std::bit_cast<std::array<char, digest_octets>>(hash.digest());
}

Record take_record(std::string_view& octets) {
  Record record{};
  std::memcpy(record.key.data(), octets.data(), record.key.size());
  octets.remove_prefix(record.key.size());
  record.age_seconds = take<std::uint32_t>(octets);
  record.count = take<std::uint32_t>(octets);
  return record;
}

std::string trouble(const std::string& path, const std::string& what, int error) {
  return "greylist_file " + path + ": " + what + ": " + ::strerror(error);
}

// One octet more than there should be: a file that grows is another one.
std::expected<std::string, int> read_whole(const base::Descriptor& file, std::uint64_t expected) {
  std::string octets(std::min<std::uint64_t>(expected, most_octets) + 1, '\0');
  std::size_t size = 0;
  while (size < octets.size()) {
    const ssize_t got = ::read(file.number(), octets.data() + size, octets.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  octets.resize(size);
  return octets;
}

}  // namespace

std::string encode_greylist(const SavedGreylist& saved) {
  std::string octets;
  std::size_t records = 0;
  for (const auto& kind : saved.contents.records) records += kind.size();
  octets.reserve(head_octets + records * record_octets + digest_octets);
  octets += first_line;
  for (const std::uint64_t half : saved.contents.secret) put(octets, half);
  put(octets, static_cast<std::uint64_t>(saved.saved_seconds));
  for (const auto& kind : saved.contents.records) put(octets, static_cast<std::uint32_t>(kind.size()));
  for (const auto& kind : saved.contents.records) {
    for (const Record& record : kind) {
      octets.append(reinterpret_cast<const char*>(record.key.data()), record.key.size());
      put(octets, record.age_seconds);
      put(octets, record.count);
    }
  }
  const auto digest = digest_of(octets);
  return octets.append(digest.data(), digest.size());
}

std::optional<SavedGreylist> decode_greylist(std::string_view octets) {
  if (octets.size() < head_octets + digest_octets || octets.size() > most_octets || !octets.starts_with(first_line))
    return std::nullopt;
  const std::string_view digest = octets.substr(octets.size() - digest_octets);
  octets.remove_suffix(digest_octets);
  const auto wanted = digest_of(octets);
  if (!std::ranges::equal(digest, wanted)) return std::nullopt;
  octets.remove_prefix(first_line.size());
  SavedGreylist saved;
  for (std::uint64_t& half : saved.contents.secret) half = take<std::uint64_t>(octets);
  saved.saved_seconds = static_cast<std::int64_t>(take<std::uint64_t>(octets));
  std::array<std::size_t, 3> counts{};
  for (std::size_t& count : counts) count = take<std::uint32_t>(octets);
  if ((counts[0] + counts[1] + counts[2]) * record_octets != octets.size()) return std::nullopt;
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    saved.contents.records[kind].reserve(counts[kind]);
    for (std::size_t i = 0; i < counts[kind]; ++i) saved.contents.records[kind].push_back(take_record(octets));
  }
  return saved;
}

std::expected<std::optional<SavedGreylist>, std::string> read_greylist(const std::string& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open() && errno == ENOENT) return std::nullopt;
  if (!file.is_open()) return std::unexpected(trouble(path, "cannot be read", errno));
  struct stat about{};
  if (::fstat(file.number(), &about) != 0 || !S_ISREG(about.st_mode))
    return std::unexpected("greylist_file " + path + ": is no file: name a file, whose folder is there");
  const auto octets = read_whole(file, static_cast<std::uint64_t>(about.st_size));
  if (!octets) return std::unexpected(trouble(path, "cannot be read", octets.error()));
  auto saved = decode_greylist(*octets);
  if (!saved) return std::unexpected("greylist_file " + path + ": is damaged, or of another version");
  return saved;
}

std::expected<void, std::string> write_greylist(const std::string& path, const SavedGreylist& saved) {
  const std::string next = path + ".new", octets = encode_greylist(saved);
  const base::Descriptor file(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  const int refused = errno;
  if (!file.is_open() && refused == EACCES)
    return std::unexpected(trouble(next, "cannot be written", refused) +
                           "; a folder that was made since the start needs a restart");
  if (!file.is_open()) return std::unexpected(trouble(next, "cannot be written", refused));
  int error = base::write_all(file, octets);
  if (error == 0 && ::fsync(file.number()) != 0) error = errno;
  if (error == 0 && ::rename(next.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  ::unlink(next.c_str());
  return std::unexpected(trouble(next, "cannot be written", error));
}

std::chrono::seconds seconds_since(std::int64_t saved_seconds, std::int64_t now_seconds) {
  if (saved_seconds >= now_seconds) return std::chrono::seconds(0);
  const auto since = static_cast<std::uint64_t>(now_seconds) - static_cast<std::uint64_t>(saved_seconds);
  return std::chrono::seconds(std::min<std::uint64_t>(since, spec::max_greylist_downtime_seconds));
}

}  // namespace postern::limits
