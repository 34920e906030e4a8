#include "cli/cdb_records.hpp"

#include <cdb.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "audit/configuration.hpp"
#include "base/child.hpp"
#include "config/cdb_file.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t records_begin = 2048;  // after the 256 pairs of the head

std::uint32_t number_at(std::string_view file, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 4; i-- > 0;) number = number << 8 | static_cast<unsigned char>(file[at + i]);
  return number;
}

// The records end where the first hash table begins.
std::size_t end_of_records(std::string_view file) {
  std::size_t end = file.size();
  for (std::size_t i = 0; i < records_begin && file.size() >= records_begin; i += 8) {
    const bool has_slots = number_at(file, i + 4) != 0;
    if (has_slots) end = std::min<std::size_t>(end, number_at(file, i));
  }
  return end;
}

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw audit::UsageError(path + ": " + what + ": " + std::strerror(errno));
}

std::optional<struct stat> status_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
}

// A file beside the one to be replaced; removed unless it got the name.
class Draft {
 public:
  explicit Draft(std::string path) : path_(std::move(path)), name_(path_ + ".XXXXXX") {
    file_ = base::Descriptor(::mkostemp(name_.data(), O_CLOEXEC));
    if (!file_.is_open()) fail(path_, "no file can be made beside it");
  }
  ~Draft() {
    if (!is_named_) ::unlink(name_.c_str());
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void fill(const CdbRecords& records) {
    cdb_make maker{};
    bool is_written = cdb_make_start(&maker, file_.number()) == 0;
    for (const auto& [key, value] : records)
      is_written = is_written && cdb_make_add(&maker, key.data(), static_cast<unsigned>(key.size()), value.data(),
                                              static_cast<unsigned>(value.size())) == 0;
    if (cdb_make_finish(&maker) != 0 || !is_written) fail(path_, "cannot be written");
  }

  void take_owner_and_mode(const std::optional<struct stat>& old, unsigned new_mode) {
    struct stat mine{};
    if (::fstat(file_.number(), &mine) != 0) fail(path_, "cannot be written");
    const bool is_anothers = old && (old->st_uid != mine.st_uid || old->st_gid != mine.st_gid);
    if (is_anothers && ::fchown(file_.number(), old->st_uid, old->st_gid) != 0)
      fail(path_, "its owner cannot be kept; run this as root");
    if (::fchmod(file_.number(), old ? old->st_mode & 07777 : new_mode) != 0) fail(path_, "its mode cannot be kept");
  }

  void take_place() {
    if (::fsync(file_.number()) != 0 || ::rename(name_.c_str(), path_.c_str()) != 0) fail(path_, "cannot be replaced");
    is_named_ = true;
    const std::string folder = std::filesystem::path(path_).parent_path().string();
    const base::Descriptor open_folder(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!open_folder.is_open() || ::fsync(open_folder.number()) != 0) fail(folder, "cannot be made durable");
  }

 private:
  std::string path_, name_;
  base::Descriptor file_;
  bool is_named_ = false;
};

}  // namespace

CdbRecords read_cdb(const std::string& path) {
  if (const auto condition = config::inspect_cdb(path.c_str(), config::CdbLook::whole);
      condition != config::CdbCondition::usable)
    throw audit::UsageError(path +
                            (condition == config::CdbCondition::malformed ? ": is not a cdb" : ": cannot be read"));
  std::ifstream stream(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t end = end_of_records(file);
  CdbRecords records;
  for (std::size_t at = records_begin; at + 8 <= end;) {
    const std::size_t key_octets = number_at(file, at), value_octets = number_at(file, at + 4);
    if (key_octets > end - at - 8 || value_octets > end - at - 8 - key_octets)
      throw audit::UsageError(path + ": a record reaches over the end; make the cdb again");
    records.emplace_back(file.substr(at + 8, key_octets), file.substr(at + 8 + key_octets, value_octets));
    at += 8 + key_octets + value_octets;
  }
  return records;
}

void write_cdb(const std::string& path, const CdbRecords& records, unsigned new_mode) {
  const std::string real =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path)).string();  // a link stays one
  Draft draft(real);
  draft.fill(records);
  draft.take_owner_and_mode(status_of(real), new_mode);
  draft.take_place();
}

}  // namespace postern::cli
