// Where the spec lies that the oracles read: in the sources, or beside the program where those are not at hand.
#pragma once

#include <filesystem>

namespace postern::fuzz {

[[nodiscard]] inline std::filesystem::path spec_folder() {
  const std::filesystem::path in_sources = POSTERN_SOURCE_FOLDER "/spec";
  if (std::filesystem::exists(in_sources)) return in_sources;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "spec";
}

}  // namespace postern::fuzz
