// path_resolution(7), access(2).
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/real_path.hpp"
#include "config/client_classes.hpp"
#include "config/file_watch.hpp"
#include "server/profile_files.hpp"
#include "tests/daemon_home.hpp"
#include "tests/in_a_child.hpp"

namespace postern::base {
namespace {

using Paths = std::vector<std::string>;

class RealPath : public ::testing::Test {
 protected:
  void SetUp() override { base_ = std::filesystem::canonical(home_.path()).string(); }
  void link(const std::string& target, const std::string& name) const { std::filesystem::create_symlink(target, name); }
  void folder(const std::string& name) const { std::filesystem::create_directories(name); }

  tests::Home home_;
  std::string base_;
};

TEST_F(RealPath, every_link_on_the_way_is_followed) {
  folder("archive/x");
  folder("live");
  link("../archive/x", "live/x");
  link("server1.pem", "archive/x/server.pem");
  home_.write("archive/x/server1.pem", "1");
  for (const std::string path : {"live/x/server.pem", "./live//x/../x/server.pem", "archive/../live/x/server1.pem"})
    EXPECT_EQ(base_ + "/archive/x/server1.pem", real_path(path)) << path;
  link(base_ + "/archive", "absolute");
  EXPECT_EQ(base_ + "/archive/x", real_path("absolute/x"));
  EXPECT_EQ("/", real_path("/"));
  EXPECT_EQ("/", real_path("/../.."));
  EXPECT_EQ(base_, real_path("."));
}

TEST_F(RealPath, what_is_not_there_stays_as_written_and_a_ring_ends) {
  EXPECT_EQ(base_ + "/none/file", real_path("none/file"));
  link("none", "dangling");
  EXPECT_EQ(base_ + "/none", real_path("dangling"));
  link("ring", "ring");
  EXPECT_EQ(base_ + "/ring", real_path("ring"));
}

TEST_F(RealPath, a_file_is_held_by_the_folder_of_each_of_its_names) {
  folder("a");
  folder("b");
  folder("c");
  link("../b/file", "a/file");
  link("../c/file", "b/file");
  EXPECT_EQ((Paths{base_ + "/a", base_ + "/b", base_ + "/c"}), folders_that_hold("a/file"));
  EXPECT_EQ(Paths{base_}, folders_that_hold("name"));
}

TEST_F(RealPath, mailboxes_kept_elsewhere_are_found) {
  folder("mail/one.example/user");
  folder("elsewhere/domain");
  folder("elsewhere/box");
  link("../elsewhere/domain", "mail/two.example");
  link("../../elsewhere/box", "mail/one.example/other");
  link("none", "mail/dangling");
  Paths found = folders_linked_from("mail");
  std::ranges::sort(found);
  EXPECT_EQ((Paths{base_ + "/elsewhere/box", base_ + "/elsewhere/domain"}), found);
}

TEST_F(RealPath, a_link_that_is_set_again_is_a_change) {
  home_.write("one", "1");
  folder("other");
  std::filesystem::create_hard_link("one", "other/one");
  link("one", "link");
  config::FileWatch watch;
  watch.watch("link");
  watch.watch_name("name");
  EXPECT_FALSE(watch.settled() || watch.settled());
  link("other/one", "next");  // the very same file, in another folder
  std::filesystem::rename("next", "link");
  EXPECT_TRUE(watch.settled() || watch.settled());
  home_.write("name", "is read live");
  EXPECT_FALSE(watch.settled() || watch.settled());
  std::filesystem::remove("name");
  link("other/one", "name");
  EXPECT_TRUE(watch.settled() || watch.settled());
}

TEST_F(RealPath, what_only_another_user_may_use_is_told_with_the_remedy) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  ASSERT_EQ(0, ::chmod(base_.c_str(), 0755));
  folder("closed");
  home_.write("closed/key", "");
  home_.write("key", "");
  ASSERT_EQ(0, ::chmod("key", 0600));
  ASSERT_EQ(0, ::chmod("closed", 0700));
  const int failed = tests::in_a_child([&] {
    if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) return 9;
    const auto says = [](const server::ProfileFile& file, std::string_view wanted) {
      const auto sentence = server::obstacle_to(file);
      return sentence && sentence->contains(wanted);
    };
    if (!says({.place = "here: AUTH_CDB", .path = "key"},
              "here: AUTH_CDB key: user nobody may not read it (mode 0600, root:root)"))
      return 1;
    if (!says({.place = {}, .path = "closed/key"},
              "may not enter the folder " + base_ + "/closed (mode 0700, root:root)"))
      return 2;
    if (!says({.place = {}, .path = "closed", .use = server::ProfileFile::Use::written_in},
              "closed: user nobody may not write in it"))
      return 3;
    return server::obstacle_to({.place = {}, .path = "none"}) ? 4 : 0;
  });
  EXPECT_EQ(0, failed);
}

TEST_F(RealPath, classes_are_known_once_and_named_by_the_line_that_made_them) {
  const std::string allowed("+A=1\0", 5), other("+B=1\0", 5);
  home_.write_cdb("tcp.cdb",
                  {{"10.1.2.3", allowed}, {"10.1.2.4", allowed}, {"10.", "D"}, {"=.example", other}, {"", ""}});
  home_.write("tcp", "#10.1.2.3:\n10.1.2.1-7:allow,A=\"1\"\n10.:deny\n=.example:allow,B=\"1\"\n:allow\n");
  Paths keys;
  for (const config::ClientClass& each : config::read_client_classes("tcp.cdb")) keys.push_back(each.key);
  EXPECT_EQ((Paths{"10.1.2.3", "=.example", ""}), keys);
  EXPECT_EQ("class 10.1.2.3 of tcp.cdb (tcp line 2)", config::class_name("tcp.cdb", "10.1.2.3"));
  EXPECT_EQ("class =.example of tcp.cdb (tcp line 4)", config::class_name("tcp.cdb", "=.example"));
  EXPECT_EQ("class of everybody else of tcp.cdb (tcp line 5)", config::class_name("tcp.cdb", ""));
  EXPECT_EQ("class 10.1.2.8 of tcp.cdb", config::class_name("tcp.cdb", "10.1.2.8"));
  std::filesystem::remove("tcp");
  EXPECT_EQ("class 10. of tcp.cdb", config::class_name("tcp.cdb", "10."));
  EXPECT_TRUE(config::read_client_classes("none.cdb").empty());
}

}  // namespace
}  // namespace postern::base
