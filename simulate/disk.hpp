// A disk that forgets: files and folders below one root, what of them is on the disk for good, and what goes wrong.
// in      the calls of the kernel, by descriptor and path; errno as a value, 0 for none
// out     what a program sees now; after cut_power() what a kernel may have kept: all that was synced, and of the rest what
//         chance leaves: a file any beginning of it, a name or its removal, a folder's new mode or its old one
// faults  a bound on what can be written, an error in so many calls, and the power that ends at a given call
// rule    a name is safe when its folder was synced after it, octets and mode when their own node was; nothing else is promised
// source  fsync(2), open(2): O_TMPFILE, link(2); ninja's src/disk_interface.h for the idea of one faked world
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "simulate/random.hpp"

namespace postern::simulate {

inline constexpr std::string_view disk_root = "/simulated";
inline constexpr std::uint32_t no_node = ~0U;
inline constexpr int first_descriptor = 1 << 20;  // above every true one

struct Faults {
  std::uint32_t error_in = 0;         // one call in so many fails; 0: none does
  std::uint64_t room_octets = ~0ULL;  // for all files
  std::uint32_t calls_left = 0;       // until the power ends; 0: it does not
};

class Disk {
 public:
  struct Name {
    std::string text;
    std::uint32_t node;
    bool is_there, was_there;  // now; on the disk
  };
  struct Node {
    bool is_folder = false;
    bool is_synced = false;
    mode_t mode = 0, old_mode = 0;  // of a folder: now; on the disk, if it is there at all
    std::uint32_t parent = 0;
    std::size_t octets_used = 0;
    std::string octets;
    std::vector<Name> names;
  };

  void begin(std::uint64_t seed);
  void fail(Faults faults) { faults_ = faults; }
  void end_power_in(std::uint32_t calls) { faults_.calls_left = calls; }
  [[nodiscard]] bool has_power() const { return has_power_; }
  // The end of all descriptors, and of what was not synced; then there is power again.
  void cut_power();

  [[nodiscard]] int open_root(int& number) { return open_node(0, number); }
  [[nodiscard]] int open_unnamed(int folder, int& number);
  [[nodiscard]] int open(int folder, std::string_view path, int flags, int& number);
  [[nodiscard]] int make_folder(int folder, std::string_view path, mode_t mode);
  [[nodiscard]] int write(int number, std::string_view octets, std::size_t& written);
  [[nodiscard]] int read(int number, std::size_t from, std::string_view& octets);
  [[nodiscard]] int link(int file, int folder, std::string_view name);
  [[nodiscard]] int rename(int folder, std::string_view from, std::string_view to);
  [[nodiscard]] int unlink(int folder, std::string_view path);
  [[nodiscard]] int mode_of(int number, mode_t*& mode);  // to look at it, or to change it
  [[nodiscard]] int sync(int number);
  void close(int number);

  [[nodiscard]] std::size_t open_descriptors() const { return open_; }
  // What a descriptor is open for; no_node: for nothing.
  [[nodiscard]] std::uint32_t node_of(int number) const;
  // To walk through all of it: node 0 is the root.
  [[nodiscard]] const Node& node(std::uint32_t number) const { return nodes_[number]; }

 private:
  struct Place {
    std::uint32_t folder;  // none: a folder above is missing
    std::string_view name;
  };
  [[nodiscard]] int trouble();
  [[nodiscard]] std::uint32_t make_node(bool is_folder, std::uint32_t parent);
  [[nodiscard]] int open_node(std::uint32_t node, int& number);
  [[nodiscard]] Place find_place(int folder, std::string_view path) const;
  [[nodiscard]] Name* find(std::uint32_t folder, std::string_view name);

  Random random_{0};
  Faults faults_;
  bool has_power_ = true;
  std::vector<Node> nodes_;  // those beyond used_ are of earlier worlds
  std::size_t used_ = 0;
  std::vector<std::uint32_t> descriptors_;
  std::size_t open_ = 0;
};

}  // namespace postern::simulate
