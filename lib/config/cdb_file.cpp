#include "config/cdb_file.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <new>
#include <thread>
#include <utility>

namespace postern::config {
namespace {

constexpr std::size_t slot_octets = 8;
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t clock_step = second / 50;  // two changes that are nearer may have one time (HZ is 100 or more)

int open_for_reading(const char* path) { return ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); }

std::uint32_t number_at(const unsigned char* octets) {
  return std::uint32_t{octets[0]} | std::uint32_t{octets[1]} << 8U | std::uint32_t{octets[2]} << 16U |
         std::uint32_t{octets[3]} << 24U;
}

constexpr std::uint32_t first_hash = 5381;

std::uint32_t hash_of(std::string_view key, std::uint32_t hash = first_hash) {
  for (const char octet : key) hash = ((hash << 5U) + hash) ^ static_cast<unsigned char>(octet);
  return hash;
}

std::string_view text_of(std::span<const unsigned char> octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * second + time.tv_nsec; }

// Where the tables begin, when they fill the file from there, one after the other, as all writers have them. An empty one, for
// which they name the place of the next, is not before them: it would be one that has lost its number of slots. A header in
// which no table has a place is zeros that a crash has left: the tables of an empty cdb have theirs at its end.
std::optional<std::uint64_t> end_of_records(std::span<const unsigned char> header, std::uint64_t file_octets) {
  constexpr std::uint64_t nowhere = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t begin = file_octets, end = header.size(), first_named = nowhere;
  for (std::size_t at = 0; at < header.size(); at += slot_octets) {
    const std::uint64_t position = number_at(header.data() + at);
    const std::uint64_t table_octets = std::uint64_t{number_at(header.data() + at + 4)} * slot_octets;
    if (position >= header.size()) first_named = std::min(first_named, position);
    if (table_octets == 0) continue;
    const bool is_first = begin == file_octets;
    if (is_first ? position < end || position >= file_octets : position != end) return std::nullopt;
    if (is_first) begin = position;
    end = position + table_octets;
  }
  return end == file_octets && first_named == begin ? std::optional(begin) : std::nullopt;
}

// A change that is only just made may hide another one.
bool is_settled(std::int64_t changed) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t age = nanoseconds(now) - changed;
  return age > clock_step || age < -clock_step;
}

void wait_until_settled(std::int64_t changed) {
  if (is_settled(changed)) return;
  std::this_thread::sleep_for(std::chrono::nanoseconds(2 * clock_step));  // as long, whatever signals come
}

}  // namespace

std::string describe_cdb_problem(std::string_view path, int error_number) {
  const char* reason = error_number == EPROTO   ? "not a well-formed cdb"
                       : error_number == ESTALE ? "it changes while it is read: write another file and rename it"
                                                : ::strerrordesc_np(error_number);
  return std::string(path) + ": cannot be read: " + (reason != nullptr ? reason : "unknown error");
}

CdbCondition inspect_cdb(const char* path, CdbLook look) {
  CdbFile file;
  switch (look == CdbLook::header ? file.open(path) : file.open_copy(path)) {
    case 0: return CdbCondition::usable;
    case EPROTO:
    case ESTALE: return CdbCondition::malformed;
    default: return CdbCondition::unreadable;
  }
}

CdbFile::~CdbFile() { close(); }

void CdbFile::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  copy_.reset();
}

int CdbFile::open(const char* path) {
  close();
  descriptor_ = open_for_reading(path);
  return descriptor_ < 0 ? errno : load_header();
}

int CdbFile::open_copy(const char* path) {
  close();
  descriptor_ = open_for_reading(path);
  if (descriptor_ < 0) return errno;
  const auto before = state();
  if (!before) return before.error();
  wait_until_settled(before->modified);
  if (const int error_number = load_header(); error_number != 0) return error_number;
  std::unique_ptr<unsigned char[]> copy(new (std::nothrow) unsigned char[octets_]);
  if (copy == nullptr) return ENOMEM;
  if (!read_at(0, {copy.get(), octets_})) return EPROTO;
  if (const int error_number = verify(*before); error_number != 0) return error_number;
  std::copy_n(copy.get(), header_octets, header_.begin());
  close();
  copy_ = std::move(copy);
  return finds_each_record() ? 0 : EPROTO;
}

std::expected<CdbFile::State, int> CdbFile::state() const {
  if (copy_ != nullptr) return State{};
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return std::unexpected(errno);
  if (!S_ISREG(status.st_mode)) return std::unexpected(EINVAL);
  if (status.st_size > std::numeric_limits<std::uint32_t>::max()) return std::unexpected(EPROTO);
  return State{.device = status.st_dev,
               .inode = status.st_ino,
               .octets = static_cast<std::uint64_t>(status.st_size),
               .modified = nanoseconds(status.st_mtim),
               .changed = nanoseconds(status.st_ctim)};
}

// Of the state in which the file is now.
int CdbFile::load_header() {
  if (copy_ != nullptr) return 0;
  const auto now = state();
  if (!now) return now.error();
  octets_ = now->octets;
  if (octets_ < header_octets || !read_at(0, header_)) return EPROTO;
  const auto end = end_of_records(header_, octets_);
  records_end_ = end.value_or(0);
  return end ? 0 : EPROTO;
}

int CdbFile::verify(const State& before) const {
  const auto after = state();
  if (!after) return after.error();
  return *after == before && (copy_ != nullptr || is_settled(after->modified)) ? 0 : ESTALE;
}

bool CdbFile::read_at(std::uint64_t position, std::span<unsigned char> room) const {
  if (position > octets_ || room.size() > octets_ - position) return false;
  if (copy_ != nullptr) {
    std::copy_n(copy_.get() + position, room.size(), room.begin());
    return true;
  }
  while (!room.empty()) {
    const ssize_t got = ::pread(descriptor_, room.data(), room.size(), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    room = room.subspan(static_cast<std::size_t>(got));
    position += static_cast<std::uint64_t>(got);
  }
  return true;
}

std::optional<CdbFile::Slot> CdbFile::slot_at(std::uint64_t position) const {
  std::array<unsigned char, slot_octets> octets;
  if (!read_at(position, octets)) return std::nullopt;
  return Slot{.hash = number_at(octets.data()), .position = number_at(octets.data() + 4)};
}

std::optional<CdbFile::Place> CdbFile::place_at(std::uint64_t position) const {
  std::array<unsigned char, 8> lengths;
  if (position < header_octets || position + lengths.size() > records_end_ || !read_at(position, lengths))
    return std::nullopt;
  const Place record{.key_at = position + lengths.size(),
                     .key_octets = number_at(lengths.data()),
                     .value_octets = number_at(lengths.data() + 4)};
  return record.end() <= records_end_ ? std::optional(record) : std::nullopt;
}

std::expected<bool, int> CdbFile::matches(const Place& record, std::string_view key) const {
  if (record.key_octets != key.size()) return false;
  std::array<unsigned char, 256> room;
  for (std::size_t at = 0; at < key.size(); at += room.size()) {
    const std::string_view wanted = key.substr(at, room.size());
    if (!read_at(record.key_at + at, std::span(room).first(wanted.size()))) return std::unexpected(EPROTO);
    if (text_of(std::span(room).first(wanted.size())) != wanted) return false;
  }
  return true;
}

std::expected<std::uint32_t, int> CdbFile::hash_at(const Place& record) const {
  std::array<unsigned char, 256> room;
  std::uint32_t hash = first_hash;
  for (std::uint64_t at = 0; at < record.key_octets; at += room.size()) {
    const auto some = std::span(room).first(std::min<std::uint64_t>(room.size(), record.key_octets - at));
    if (!read_at(record.key_at + at, some)) return std::unexpected(EPROTO);
    hash = hash_of(text_of(some), hash);
  }
  return hash;
}

// Of a copy: what was lost of a table, or written over a record, makes a key that is there look absent.
bool CdbFile::finds_each_record() const {
  std::uint64_t position = header_octets;
  while (position != records_end_) {
    const auto record = place_at(position);
    if (!record) return false;
    const auto found = search({reinterpret_cast<const char*>(copy_.get()) + record->key_at, record->key_octets});
    if (!found || !*found) return false;
    position = record->end();
  }
  return true;
}

// Of a key that was not found: writers make two slots for each record, in the table that its hash names.
std::expected<bool, int> CdbFile::is_table_sound(std::string_view key) const {
  const std::uint32_t number = hash_of(key) % 256;
  const unsigned char* const table = header_.data() + number * slot_octets;
  const std::uint64_t begin = number_at(table), slots = number_at(table + 4);
  std::array<unsigned char, 512 * slot_octets> room;
  std::uint64_t filled = 0;
  for (std::uint64_t at = 0; at < slots * slot_octets; at += room.size()) {
    const auto some = std::span(room).first(std::min<std::uint64_t>(room.size(), slots * slot_octets - at));
    if (!read_at(begin + at, some)) return std::unexpected(EPROTO);
    for (std::size_t slot = 0; slot < some.size(); slot += slot_octets) {
      if (number_at(some.data() + slot + 4) == 0) continue;
      if (number_at(some.data() + slot) % 256 != number) return false;
      ++filled;
    }
  }
  return filled * 2 >= slots;
}

bool CdbFile::keep_key(const Place& record) {
  key_.resize(record.key_octets);
  return read_at(record.key_at, {reinterpret_cast<unsigned char*>(key_.data()), key_.size()});
}

bool CdbFile::keep_value(const Place& record) {
  value_.resize(record.value_octets);
  return read_at(record.key_at + record.key_octets, {reinterpret_cast<unsigned char*>(value_.data()), value_.size()});
}

std::expected<std::optional<CdbFile::Place>, int> CdbFile::search(std::string_view key) const {
  const std::uint32_t hash = hash_of(key);
  const unsigned char* const table = header_.data() + hash % 256 * slot_octets;
  const std::uint64_t begin = number_at(table), slots = number_at(table + 4);
  for (std::uint64_t i = 0; i < slots; ++i) {
    const auto slot = slot_at(begin + ((hash >> 8U) + i) % slots * slot_octets);
    if (!slot) return std::unexpected(EPROTO);
    if (slot->position == 0) return std::nullopt;
    const auto record = place_at(slot->position);
    if (!record) return std::unexpected(EPROTO);
    if (slot->hash == hash) {
      const auto is_same = matches(*record, key);
      if (!is_same) return std::unexpected(is_same.error());
      if (*is_same) return record;
    }
    if (hash_at(*record) != slot->hash) return std::unexpected(EPROTO);
  }
  return std::nullopt;
}

CdbFile::Found CdbFile::look_up(std::string_view key) const {
  if (copy_ == nullptr) return std::unexpected(EBADF);
  const auto found = search(key);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  const unsigned char* const value = copy_.get() + (*found)->key_at + (*found)->key_octets;
  return std::string_view(reinterpret_cast<const char*>(value), (*found)->value_octets);
}

CdbFile::Found CdbFile::find(std::string_view key) {
  const auto before = state();
  if (!before) return std::unexpected(before.error());
  if (copy_ == nullptr) wait_until_settled(before->modified);
  if (const int error_number = load_header(); error_number != 0) return std::unexpected(error_number);
  const auto found = search(key);
  const bool is_kept = !found || !*found || keep_value(**found);
  const bool is_damaged = copy_ == nullptr && found && !*found && is_table_sound(key) != true;
  if (const int error_number = verify(*before); error_number != 0) return std::unexpected(error_number);
  if (!found) return std::unexpected(found.error());
  if (!is_kept || is_damaged) return std::unexpected(EPROTO);
  return *found ? std::optional<std::string_view>(value_) : std::nullopt;
}

std::optional<CdbFile::Record> CdbFile::Records::next() {
  const auto before = file_->state();
  if (!before) return std::nullopt;
  if (file_->copy_ == nullptr) wait_until_settled(before->modified);
  if (file_->load_header() != 0) return std::nullopt;
  const auto place = file_->place_at(position_);
  const bool is_read = place && file_->keep_key(*place) && file_->keep_value(*place);
  if (!is_read || file_->verify(*before) != 0) return std::nullopt;
  position_ = place->end();
  return Record{.key = file_->key_, .value = file_->value_};
}

std::optional<std::string_view> CdbFile::Values::next() {
  const auto record = records_.next();
  return record ? std::optional(record->value) : std::nullopt;
}

}  // namespace postern::config
