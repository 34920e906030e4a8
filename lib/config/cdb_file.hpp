// A constant database, open for look-ups; whatever the file holds, nothing outside it is read, and a process that writes
// it over while it is open crashes nothing: nothing is mapped.
// in      a path; keys of any octets
// out     values that live until the next call, in memory of the CdbFile's own
// torn    each answer is of one state of the file: its length and its times are the same before and after, none of its
//         last change so recent that the clock could not tell another, and the tables end where the file ends. Else ESTALE
// damage  is never an absent key: a copy is taken where each record is found by its key and the records fill what is before the
//         tables. find() in a file reads what it needs, and what no writer of cdbs makes there is EPROTO: tables that do not fill
//         the file behind the records, one after the other; of the slots that it passes, one whose record is not wholly
//         between header and tables, or has another hash; where the key is not found, a table that is less than half full,
//         or has slots of another one
// unseen  by find(): other octets of a value; of a key another one of the same hash; lengths of which one is as much longer as
//         the other is shorter, where the hash stays; and all damage to what it does not pass
// errors  errno; EPROTO when the file is not a well-formed cdb, ESTALE when it changes while it is read
// cost    open(): three system calls; find(): about ten, or none of a copy; open_copy(): reads all, and looks each record up
// threads one at a time, except look_up()
// source  cr.yp.to/cdb/cdb.txt
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postern::config {

enum class CdbCondition : std::uint8_t {
  usable,
  malformed,   // can be read, but is not a cdb: too short, or a table outside the file; or it is damaged
  unreadable,  // absent, forbidden, not a file
};

// header   what the first 2048 octets show: for the start of a connection
// whole    as open_copy() sees it
enum class CdbLook : std::uint8_t { header, whole };
[[nodiscard]] CdbCondition inspect_cdb(const char* path, CdbLook look);

// Why it cannot be read, in a sentence, of errno as below.
[[nodiscard]] std::string describe_cdb_problem(std::string_view path, int error_number);

class CdbFile {
 public:
  CdbFile() = default;
  CdbFile(const CdbFile&) = delete;
  CdbFile& operator=(const CdbFile&) = delete;
  ~CdbFile();

  // 0 or errno; what was open before is closed.
  [[nodiscard]] int open(const char* path);
  // The same, of a copy in memory: for a process that lives long and asks often. ENOMEM when there is none.
  [[nodiscard]] int open_copy(const char* path);

  using Found = std::expected<std::optional<std::string_view>, int>;
  [[nodiscard]] Found find(std::string_view key);
  // In a copy, by any number of threads at once; the value lives as long as the copy.
  [[nodiscard]] Found look_up(std::string_view key) const;

  struct Record {
    std::string_view key, value;  // until the next call
  };
  // The records one after the other, in the order of the file; ends also where the file is malformed, or changes.
  class Records {
   public:
    explicit Records(CdbFile& file) : file_(&file) {}
    [[nodiscard]] std::optional<Record> next();

   private:
    CdbFile* file_;
    std::uint64_t position_ = 2048;  // where the records begin
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
  static constexpr std::size_t header_octets = 2048;  // 256 tables: a position and a number of slots, of 4 octets each
  using Header = std::array<unsigned char, header_octets>;

  // One state of the file.
  struct State {
    dev_t device = 0;
    ino_t inode = 0;
    std::uint64_t octets = 0;
    std::int64_t modified = 0, changed = 0;  // in nanoseconds
    friend bool operator==(const State&, const State&) = default;
  };
  struct Place {  // of a record
    std::uint64_t key_at, key_octets, value_octets;
    [[nodiscard]] std::uint64_t end() const { return key_at + key_octets + value_octets; }
  };
  struct Slot {
    std::uint32_t hash, position;
  };

  void close();
  [[nodiscard]] std::expected<State, int> state() const;
  [[nodiscard]] int load_header();
  [[nodiscard]] int verify(const State& before) const;
  [[nodiscard]] bool read_at(std::uint64_t position, std::span<unsigned char> room) const;
  [[nodiscard]] std::optional<Slot> slot_at(std::uint64_t position) const;
  [[nodiscard]] std::optional<Place> place_at(std::uint64_t position) const;
  [[nodiscard]] std::expected<std::optional<Place>, int> search(std::string_view key) const;
  [[nodiscard]] std::expected<bool, int> matches(const Place& record, std::string_view key) const;
  [[nodiscard]] std::expected<std::uint32_t, int> hash_at(const Place& record) const;
  [[nodiscard]] bool finds_each_record() const;
  [[nodiscard]] std::expected<bool, int> is_table_sound(std::string_view key) const;
  [[nodiscard]] bool keep_key(const Place& record);
  [[nodiscard]] bool keep_value(const Place& record);

  int descriptor_ = -1;
  std::unique_ptr<unsigned char[]> copy_;  // of the whole file
  std::uint64_t octets_ = 0, records_end_ = 0;
  Header header_{};
  std::string value_, key_;
};

}  // namespace postern::config
