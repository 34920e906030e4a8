#include "simulate/disk_log.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "simulate/actions.hpp"
#include "simulate/ledger.hpp"

namespace postern::simulate {
namespace {

constexpr std::uint32_t no_message = ~0U;

std::uint32_t message_in(const Disk& disk, std::uint32_t node) {
  return node == no_node ? no_message : number_in(disk.node(node).octets, no_message);
}

std::string path_of(const Disk& disk, std::uint32_t node) {
  std::string path;
  for (; node != 0 && node != no_node; node = disk.node(node).parent) {
    const auto& names = disk.node(disk.node(node).parent).names;
    const auto found = std::ranges::find(names, node, &Disk::Name::node);
    path.insert(0, (found == names.end() ? std::string("?") : found->text) + (path.empty() ? "" : "/"));
  }
  return path.empty() ? "." : path;
}

std::uint32_t node_at(const Disk& disk, std::uint32_t folder, std::string_view path) {
  while (folder != no_node && !path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    const auto& names = disk.node(folder).names;
    const auto found =
        std::ranges::find_if(names, [&](const Disk::Name& one) { return one.is_there && one.text == name; });
    folder = found == names.end() ? no_node : found->node;
  }
  return folder;
}

}  // namespace

void log_link(const Disk& disk, int file, int folder, int error) {
  if (!actions().is_open()) return;
  const std::uint32_t message = message_in(disk, disk.node_of(file));
  if (error != EEXIST && message != no_message)
    actions().add("disk link %u %s %d", message, path_of(disk, disk.node_of(folder)).c_str(), error);
}

void log_sync(const Disk& disk, int number, int error) {
  const std::uint32_t node = disk.node_of(number);
  if (!actions().is_open() || node == no_node) return;
  if (disk.node(node).is_folder) return actions().add("disk sync-folder %s %d", path_of(disk, node).c_str(), error);
  const std::uint32_t message = message_in(disk, node);
  if (message != no_message) actions().add("disk sync-file %u %d", message, error);
}

void log_unlink(const Disk& disk, int folder, std::string_view path) {
  if (!actions().is_open()) return;
  const std::uint32_t message = message_in(disk, node_at(disk, disk.node_of(folder), path));
  if (message != no_message)
    actions().add("disk unlink %u %.*s 0", message, static_cast<int>(path.size()), path.data());
}

void log_look(const Disk& disk, int number, int error) {
  const std::uint32_t node = disk.node_of(number);
  if (!actions().is_open() || node == no_node) return;
  const bool is_marked = (disk.node(node).mode & S_ISVTX) != 0;
  actions().add("disk look %s %d %d", path_of(disk, node).c_str(), is_marked ? 1 : 0, error);
}

void log_unmark(const Disk& disk, int number, int error) {
  if (actions().is_open()) actions().add("disk unmark %s %d", path_of(disk, disk.node_of(number)).c_str(), error);
}

void log_make(const char* path, int error) {
  if (actions().is_open()) actions().add("disk make %s %d", path, error);
}

}  // namespace postern::simulate
