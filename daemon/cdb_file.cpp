#include "daemon/cdb_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>

namespace postern::daemon {
namespace {

constexpr std::size_t header_octets = 2048;  // 256 tables: a position and a number of slots of 8 octets
constexpr std::size_t slot_octets = 8;

using Header = std::array<unsigned char, header_octets>;

int open_for_reading(const char* path) { return ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); }

bool has_all_tables_inside(const Header& header, std::uint64_t file_octets) {
  for (std::size_t at = 0; at < header_octets; at += slot_octets) {
    const std::uint64_t position = ::cdb_unpack(header.data() + at);
    const std::uint64_t slots = ::cdb_unpack(header.data() + at + 4);
    if (slots != 0 && (position < header_octets || position + slots * slot_octets > file_octets)) return false;
  }
  return true;
}

CdbCondition inspect_open(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return CdbCondition::unreadable;
  const auto file_octets = static_cast<std::uint64_t>(status.st_size);
  Header header;
  const ssize_t got = ::pread(descriptor, header.data(), header.size(), 0);
  if (got < 0) return CdbCondition::unreadable;
  const bool is_whole = static_cast<std::size_t>(got) == header.size() &&
                        file_octets <= std::numeric_limits<std::uint32_t>::max() &&
                        has_all_tables_inside(header, file_octets);
  return is_whole ? CdbCondition::usable : CdbCondition::malformed;
}

// 0 or errno.
int copy_octets(int from, int to) {
  struct stat status{};
  if (::fstat(from, &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return EINVAL;
  if (status.st_size > std::numeric_limits<std::uint32_t>::max()) return EFBIG;
  ssize_t copied = 1;
  while (copied > 0) copied = ::sendfile(to, from, nullptr, header_octets * 512);
  return copied < 0 ? errno : 0;
}

}  // namespace

CdbCondition inspect_cdb(const char* path) {
  const int descriptor = open_for_reading(path);
  if (descriptor < 0) return CdbCondition::unreadable;
  const CdbCondition condition = inspect_open(descriptor);
  ::close(descriptor);
  return condition;
}

CdbFile::~CdbFile() {
  if (file_.cdb_mem != nullptr) ::cdb_free(&file_);
}

int CdbFile::open(const char* path) {
  const int descriptor = open_for_reading(path);
  if (descriptor < 0) return errno;
  const int error_number = ::cdb_init(&file_, descriptor) == 0 ? 0 : errno;
  ::close(descriptor);  // the mapping stays
  return error_number;
}

int CdbFile::open_copy(const char* path) {
  const int original = open_for_reading(path);
  if (original < 0) return errno;
  const int copy = ::memfd_create("cdb", MFD_CLOEXEC);
  int error_number = copy < 0 ? errno : copy_octets(original, copy);
  ::close(original);
  if (copy < 0) return error_number;
  if (error_number == 0 && inspect_open(copy) != CdbCondition::usable) error_number = EPROTO;
  if (error_number == 0 && ::cdb_init(&file_, copy) != 0) error_number = errno;
  ::close(copy);  // the mapping stays
  return error_number;
}

std::expected<std::string_view, int> CdbFile::found_value() const {
  return octets_at(cdb_datapos(&file_), cdb_datalen(&file_));
}

std::expected<std::string_view, int> CdbFile::octets_at(unsigned position, unsigned octets) const {
  const void* data = ::cdb_get(&file_, octets, position);
  if (data == nullptr) return std::unexpected(EPROTO);
  return std::string_view(static_cast<const char*>(data), octets);
}

std::expected<std::optional<std::string_view>, int> CdbFile::find(std::string_view key) {
  if (key.size() > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  const int found = ::cdb_find(&file_, key.data(), static_cast<unsigned>(key.size()));
  if (found < 0) return std::unexpected(EPROTO);
  if (found == 0) return std::nullopt;
  const auto value = found_value();
  if (!value) return std::unexpected(value.error());
  return *value;
}

std::optional<CdbFile::Record> CdbFile::Records::next() {
  const unsigned before = position_;
  if (::cdb_seqnext(&position_, &file_->file_) <= 0) return std::nullopt;
  if (position_ <= before) return std::nullopt;  // lengths whose sum wraps round would keep us here for ever
  const auto key = file_->octets_at(cdb_keypos(&file_->file_), cdb_keylen(&file_->file_));
  const auto value = file_->found_value();
  return key && value ? std::optional(Record{.key = *key, .value = *value}) : std::nullopt;
}

std::optional<std::string_view> CdbFile::Values::next() {
  const auto record = records_.next();
  return record ? std::optional(record->value) : std::nullopt;
}

}  // namespace postern::daemon
