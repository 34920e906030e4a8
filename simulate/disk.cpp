#include "simulate/disk.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <span>

namespace postern::simulate {
namespace {

void put(Disk::Node& folder, std::string_view name, std::uint32_t node) {
  folder.names.push_back({std::string(name), node, true, false});
}

}  // namespace

void Disk::begin(std::uint64_t seed) {
  random_ = Random(seed);
  faults_ = {};
  has_power_ = true;
  descriptors_.clear();
  used_ = open_ = 0;
  static_cast<void>(make_node(true, 0));
}

std::uint32_t Disk::make_node(bool is_folder, std::uint32_t parent) {
  if (used_ == nodes_.size()) nodes_.emplace_back();
  Node& node = nodes_[used_];
  node.is_folder = is_folder;
  node.is_synced = false;
  node.mode = node.old_mode = 0;
  node.parent = parent;
  node.octets.clear();
  node.names.clear();
  return static_cast<std::uint32_t>(used_++);
}

// One call of the kernel: whether it goes well.
int Disk::trouble() {
  if (has_power_ && faults_.calls_left != 0 && --faults_.calls_left == 0) has_power_ = false;
  if (!has_power_) return EIO;
  if (faults_.error_in == 0 || !random_.one_in(faults_.error_in)) return 0;
  constexpr int errors[] = {EIO, ENOSPC, EDQUOT, EMFILE, ENOMEM};
  return errors[random_.below(5)];
}

void Disk::cut_power() {
  for (Node& node : std::span(nodes_).first(used_)) {
    if (!node.is_folder && !node.is_synced)
      node.octets.resize(random_.below(static_cast<std::uint32_t>(node.octets.size()) + 1));
    node.is_synced = true;
    node.mode = node.old_mode = random_.one_in(2) ? node.mode : node.old_mode;
    for (Name& name : node.names) name.is_there = name.was_there = random_.one_in(2) ? name.is_there : name.was_there;
    std::erase_if(node.names, [](const Name& name) { return !name.is_there; });
  }
  descriptors_.clear();
  open_ = 0;
  faults_ = {};
  has_power_ = true;
}

int Disk::open_node(std::uint32_t node, int& number) {
  if (const int error = trouble(); error != 0) return error;
  const auto free = std::ranges::find(descriptors_, no_node);
  const auto at = free - descriptors_.begin();
  if (free == descriptors_.end()) descriptors_.push_back(node);
  descriptors_[static_cast<std::size_t>(at)] = node;
  ++open_;
  number = first_descriptor + static_cast<int>(at);
  return 0;
}

std::uint32_t Disk::node_of(int number) const {
  const auto at = static_cast<std::size_t>(number - first_descriptor);
  return number >= first_descriptor && at < descriptors_.size() ? descriptors_[at] : no_node;
}

void Disk::close(int number) {
  if (node_of(number) == no_node) return;
  descriptors_[static_cast<std::size_t>(number - first_descriptor)] = no_node;
  --open_;
}

Disk::Place Disk::find_place(int folder, std::string_view path) const {
  std::uint32_t at = node_of(folder);
  while (at != no_node) {
    const std::size_t end = path.find('/');
    if (end == path.npos) return {at, path};
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(end + 1);
    if (name == "..") {
      at = nodes_[at].parent;
      continue;
    }
    const auto& names = nodes_[at].names;
    const auto found = std::ranges::find_if(names, [&](const Name& n) { return n.is_there && n.text == name; });
    at = found == names.end() ? no_node : found->node;
  }
  return {no_node, path};
}

Disk::Name* Disk::find(std::uint32_t folder, std::string_view name) {
  auto& names = nodes_[folder].names;
  const auto found = std::ranges::find_if(names, [&](const Name& n) { return n.is_there && n.text == name; });
  return found == names.end() ? nullptr : &*found;
}

int Disk::open_unnamed(int folder, int& number) {
  if (node_of(folder) == no_node) return EBADF;
  if (open_node(0, number) != 0) return has_power_ ? ENOSPC : EIO;
  descriptors_[static_cast<std::size_t>(number - first_descriptor)] = make_node(false, 0);
  return 0;
}

int Disk::open(int folder, std::string_view path, int flags, int& number) {
  const Place place = find_place(folder, path);
  if (place.folder == no_node) return ENOENT;
  if (place.name == ".") return open_node(place.folder, number);
  const Name* const found = find(place.folder, place.name);
  if ((flags & O_CREAT) == 0) return found == nullptr ? ENOENT : open_node(found->node, number);
  if (found != nullptr) return EEXIST;
  if (const int error = open_node(0, number); error != 0) return error;
  const std::uint32_t node = make_node(false, place.folder);
  descriptors_[static_cast<std::size_t>(number - first_descriptor)] = node;
  put(nodes_[place.folder], place.name, node);
  return 0;
}

int Disk::make_folder(int folder, std::string_view path, mode_t mode) {
  const Place place = find_place(folder, path);
  if (place.folder == no_node) return ENOENT;
  if (find(place.folder, place.name) != nullptr) return EEXIST;
  if (const int error = trouble(); error != 0) return error;
  const std::uint32_t node = make_node(true, place.folder);
  nodes_[node].mode = nodes_[node].old_mode = mode;
  put(nodes_[place.folder], place.name, node);
  return 0;
}

int Disk::write(int number, std::string_view octets, std::size_t& written) {
  const std::uint32_t node = node_of(number);
  if (node == no_node) return EBADF;
  if (const int error = trouble(); error != 0) return error;
  if (faults_.room_octets == 0) return ENOSPC;
  written = octets.size();
  if (octets.size() > 1 && faults_.error_in != 0)
    written = random_.between(1, static_cast<std::uint32_t>(octets.size()));
  written = std::min<std::uint64_t>(written, faults_.room_octets);
  if (faults_.room_octets != ~0ULL) faults_.room_octets -= written;
  nodes_[node].octets.append(octets.substr(0, written));
  nodes_[node].is_synced = false;
  return 0;
}

int Disk::read(int number, std::size_t from, std::string_view& octets) {
  const std::uint32_t node = node_of(number);
  if (node == no_node) return EBADF;
  if (const int error = trouble(); error != 0) return error;
  octets = std::string_view(nodes_[node].octets).substr(std::min(from, nodes_[node].octets.size()));
  return 0;
}

int Disk::link(int file, int folder, std::string_view name) {
  const Place place = find_place(folder, name);
  const std::uint32_t node = node_of(file);
  if (place.folder == no_node || node == no_node) return ENOENT;
  if (find(place.folder, place.name) != nullptr) return EEXIST;
  if (const int error = trouble(); error != 0) return error;
  put(nodes_[place.folder], place.name, node);
  return 0;
}

int Disk::rename(int folder, std::string_view from, std::string_view to) {
  const Place old_place = find_place(folder, from), place = find_place(folder, to);
  if (old_place.folder == no_node || place.folder == no_node) return ENOENT;
  Name* const found = find(old_place.folder, old_place.name);
  if (found == nullptr) return ENOENT;
  if (find(place.folder, place.name) != nullptr) return EEXIST;
  if (const int error = trouble(); error != 0) return error;
  found->is_there = false;
  put(nodes_[place.folder], place.name, found->node);
  return 0;
}

// Taking back never fails while there is power: what a program is to do where it does is not specified.
int Disk::unlink(int folder, std::string_view path) {
  const Place place = find_place(folder, path);
  if (!has_power_) return EIO;
  Name* const found = place.folder == no_node ? nullptr : find(place.folder, place.name);
  if (found == nullptr) return ENOENT;
  found->is_there = false;
  return 0;
}

int Disk::mode_of(int number, mode_t*& mode) {
  const std::uint32_t node = node_of(number);
  if (node == no_node) return EBADF;
  mode = &nodes_[node].mode;
  return trouble();
}

int Disk::sync(int number) {
  const std::uint32_t node = node_of(number);
  if (node == no_node) return EBADF;
  if (const int error = trouble(); error != 0) return error;
  nodes_[node].is_synced = true;
  nodes_[node].old_mode = nodes_[node].mode;
  for (Name& name : nodes_[node].names) name.was_there = name.is_there;
  std::erase_if(nodes_[node].names, [](const Name& name) { return !name.is_there; });
  return 0;
}

}  // namespace postern::simulate
