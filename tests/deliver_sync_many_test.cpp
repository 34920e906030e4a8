// Many syncs at once say of each descriptor what fsync(2) would say of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/child.hpp"
#include "deliver/sync_many.hpp"

namespace postern::deliver {
namespace {

class SyncManyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = base::Descriptor(open(::testing::TempDir().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    folder_ = base::Descriptor(open(::testing::TempDir().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file_.is_open()) GTEST_SKIP() << "no unnamed files there";
    ASSERT_TRUE(folder_.is_open());
    auto ends = base::make_pipe();
    ASSERT_TRUE(ends.has_value());
    pipe_ = std::move(*ends);
  }

  base::Descriptor file_, folder_;
  base::Pipe pipe_;
};

TEST_F(SyncManyTest, any_number_is_synced) {
  SyncMany sync(SyncMany::Way::together);
  for (const std::size_t count : {0UZ, 1UZ, 2UZ, 3UZ, 4UZ, 2UZ, 63UZ, 64UZ, 65UZ, 200UZ})
    EXPECT_EQ(sync.sync(std::vector(count, file_.number())), std::vector<int>(count)) << count;
}

TEST_F(SyncManyTest, each_has_its_own_error) {
  for (const SyncMany::Way way : {SyncMany::Way::together, SyncMany::Way::in_turn}) {
    SyncMany sync(way);
    const int file = file_.number(), folder = folder_.number(), pipe = pipe_.write_end.number();
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(sync.sync(std::vector{file, pipe, folder, file}), (std::vector{0, EINVAL, 0, 0}));
      EXPECT_EQ(sync.sync(std::vector{pipe, file, -1, file, pipe}), (std::vector{EINVAL, 0, EBADF, 0, EINVAL}));
      EXPECT_EQ(sync.sync(std::vector{file, folder, file, -1}), (std::vector{0, 0, 0, EBADF}));
      EXPECT_EQ(sync.sync(std::vector{-1}), std::vector{EBADF});
    }
  }
}

}  // namespace
}  // namespace postern::deliver
