// execvp(3), execve(2): what would not run is known before it is to run.
#include <gtest/gtest.h>

#include "base/program_file.hpp"
#include "tests/daemon_home.hpp"

namespace postern::base {
namespace {

class ProgramFile : public ::testing::Test {
 protected:
  std::string in_path(const std::string& path, const std::string& name) {
    environment_.set("PATH", path);
    return find_program(name, environment_);
  }
  std::string objection_to(std::string_view text) {
    home_.write_program("program", text);
    return objection_to_program("program");
  }
  tests::Home home_;
  Environment environment_{environ};
};

TEST_F(ProgramFile, is_found_as_exec_finds_it) {
  for (const std::string folder : {"a", "b", "b/program"}) std::filesystem::create_directory(folder);
  home_.write("a/other", "#!/bin/sh\n");
  home_.write_program("c", "#!/bin/sh\n");
  std::filesystem::create_directory("d");
  home_.write_program("d/program", "#!/bin/sh\n");
  home_.write_program("d/other", "#!/bin/sh\n");
  EXPECT_EQ("d/program", in_path("a:b:d", "program")) << "a folder is no program";
  EXPECT_EQ("d/other", in_path("a:d", "other")) << "nor is a file that may not be executed";
  EXPECT_EQ("./c", in_path("a:", "c"));
  EXPECT_EQ("./c", in_path(":a", "c"));
  EXPECT_EQ("", in_path("a:b", "c"));
  EXPECT_EQ("a/other", in_path("d", "a/other")) << "PATH is not for names with a slash";
}

TEST_F(ProgramFile, what_runs_has_no_objection) {
  EXPECT_EQ("", objection_to_program("/bin/sh"));
  EXPECT_EQ("", objection_to("#!/bin/sh\nexit 0\n"));
  EXPECT_EQ("", objection_to("#! /bin/sh -e\n"));
  EXPECT_EQ("", objection_to(std::string_view("\0\x01\x02", 3))) << "of another kind: who knows (binfmt_misc)";
}

TEST_F(ProgramFile, what_does_not_run_is_told_with_the_remedy) {
  EXPECT_EQ("is not there", objection_to_program("none"));
  EXPECT_EQ("is a folder: name the program in it", objection_to_program("control"));
  home_.write("text", "#!/bin/sh\n");
  EXPECT_TRUE(objection_to_program("text").starts_with("may not be executed by this user: "));
  EXPECT_TRUE(objection_to("#!/bin/sh\r\nexit 0\r\n").contains("carriage return"));
  EXPECT_TRUE(objection_to("\xEF\xBB\xBF#!/bin/sh\n").contains("byte order mark"));
  EXPECT_TRUE(objection_to("exit 0\n").contains("write #!/bin/sh"));
  EXPECT_TRUE(objection_to("#!/no/sh -e\n").contains("\"/no/sh\""));
  EXPECT_TRUE(objection_to("#!\n").contains("interpreter"));
}

}  // namespace
}  // namespace postern::base
