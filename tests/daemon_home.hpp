// A home of its own for a test: a temporary folder with control/, made the current directory for as long as it lives.
// out     write() and write_cdb() make files in it; everything is removed at the end
// errors  a failing test
#pragma once

#include <cdb.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::tests {

class Home {
 public:
  Home() : before_(std::filesystem::current_path()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "postern-home-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    path_ = pattern;
    std::filesystem::current_path(path_);
    std::filesystem::create_directory("control");
  }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  ~Home() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(path_);
  }

  void write(const std::string& file, std::string_view text) const { std::ofstream(file, std::ios::binary) << text; }
  void write_program(const std::string& file, std::string_view text) const {
    write(file, text);
    ASSERT_EQ(0, ::chmod(file.c_str(), 0755));
  }
  [[nodiscard]] std::string read(const std::string& file) const {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // Reading a folder fails for root too, as a file without permission does not.
  void write_unreadable(const std::string& file) const { std::filesystem::create_directory(file); }

  void write_cdb(const std::string& file, const std::vector<std::pair<std::string, std::string>>& records) const {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cdb_make maker{};
    ASSERT_EQ(0, ::cdb_make_start(&maker, descriptor));
    for (const auto& [key, value] : records)
      ASSERT_EQ(0, ::cdb_make_add(&maker, key.data(), static_cast<unsigned>(key.size()), value.data(),
                                  static_cast<unsigned>(value.size())));
    ASSERT_EQ(0, ::cdb_make_finish(&maker));
    ::close(descriptor);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::filesystem::path before_;
  std::string path_;
};

}  // namespace postern::tests
