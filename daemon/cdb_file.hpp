// A constant database, open for look-ups; whatever the file holds, nothing outside it is read.
// in      a path; keys of any octets
// out     values that point into the mapped file and die with the CdbFile
// errors  errno; EPROTO when the file is not a well-formed cdb
// cost    one mapping, and the pages that a look-up touches
// source  cr.yp.to/cdb/cdb.txt
#pragma once

#include <cdb.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace postern::daemon {

enum class CdbCondition : std::uint8_t {
  usable,
  malformed,   // can be read, but is not a cdb: too short, or a table outside the file
  unreadable,  // absent, forbidden, not a file
};

// What a look at the first 2048 octets tells, without a mapping: for the start of a connection.
[[nodiscard]] CdbCondition inspect_cdb(const char* path);

class CdbFile {
 public:
  CdbFile() = default;
  CdbFile(const CdbFile&) = delete;
  CdbFile& operator=(const CdbFile&) = delete;
  ~CdbFile();

  // 0 or errno. One of them, once.
  [[nodiscard]] int open(const char* path);
  // The same, of a copy in memory that has been inspected: for a process that lives long, and dies of SIGBUS when somebody
  // makes a mapped file shorter.
  [[nodiscard]] int open_copy(const char* path);

  [[nodiscard]] std::expected<std::optional<std::string_view>, int> find(std::string_view key);

  struct Record {
    std::string_view key, value;
  };
  // The records one after the other, in the order of the file; ends also where the file is malformed.
  class Records {
   public:
    explicit Records(CdbFile& file) : file_(&file) {}
    [[nodiscard]] std::optional<Record> next();

   private:
    CdbFile* file_;
    unsigned position_ = 2048;  // where the records begin
  };
  // Their values alone.
  class Values {
   public:
    explicit Values(CdbFile& file) : records_(file) {}
    [[nodiscard]] std::optional<std::string_view> next();

   private:
    Records records_;
  };

 private:
  [[nodiscard]] std::expected<std::string_view, int> found_value() const;
  [[nodiscard]] std::expected<std::string_view, int> octets_at(unsigned position, unsigned octets) const;

  cdb file_{};
};

}  // namespace postern::daemon
