// SipHash-2-4-128 is what everybody else computes, and the record that rests on it.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/sip_hash.hpp"
#include "deliver/lmtp/taken.hpp"

namespace postern::base {
namespace {

constexpr SipHash::Key reference_key{0x0706050403020100, 0x0f0e0d0c0b0a0908};

// OpenSSL as the oracle.
SipHash::Digest by_openssl(std::string_view octets) {
  std::array<unsigned char, 16> key{}, out{};
  for (unsigned i = 0; i < key.size(); ++i) key[i] = static_cast<unsigned char>(i);
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  std::size_t size = out.size(), written = 0;
  const std::array params{OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end()};
  EXPECT_EQ(EVP_MAC_init(context, key.data(), key.size(), params.data()), 1);
  EXPECT_EQ(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(octets.data()), octets.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context, out.data(), &written, out.size()), 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  SipHash::Digest digest{};
  for (unsigned i = 0; i < 16; ++i) digest[i / 8] |= std::uint64_t{out[i]} << (8 * (i % 8));
  return digest;
}

TEST(SipHash, of_nothing_is_the_first_reference_vector) {
  EXPECT_EQ(SipHash(reference_key).digest(), (SipHash::Digest{0xe6a825ba047f81a3, 0x930255c71472f66d}));
}

TEST(SipHash, agrees_with_openssl_however_it_is_cut) {
  std::mt19937 random(1);
  std::string octets;
  for (int size = 0; size < 300; ++size) {
    SipHash hash(reference_key);
    for (std::string_view rest = octets; !rest.empty();) {
      const std::size_t taken = std::min<std::size_t>(random() % 20, rest.size());
      hash.add(rest.substr(0, taken));
      rest.remove_prefix(taken);
    }
    ASSERT_EQ(hash.digest(), by_openssl(octets)) << size;
    octets += static_cast<char>(random());
  }
}

deliver::LmtpTaken::Mark mark(const deliver::LmtpTaken& taken, std::string_view message, std::string_view to = "a@x") {
  SipHash hash = taken.begin();
  hash.add(message);
  return deliver::LmtpTaken::mark_of(hash, "from", to);
}

TEST(LmtpTaken, each_record_has_a_key_of_its_own) {
  EXPECT_NE(mark(deliver::LmtpTaken(1, 1), "m"), mark(deliver::LmtpTaken(1, 1), "m"));
}

TEST(LmtpTaken, knows_what_it_was_told_until_it_is_told_to_forget) {
  deliver::LmtpTaken taken(10, 60);
  const std::vector marks{mark(taken, "m", "a@x"), mark(taken, "m", "b@x")};
  taken.remember(marks);
  taken.remember(marks);
  EXPECT_TRUE(taken.has(marks[0]) && taken.has(marks[1]));
  EXPECT_FALSE(taken.has(mark(taken, "m", "c@x")));
  taken.forget({marks.data(), 1});
  EXPECT_FALSE(taken.has(marks[0]));
  EXPECT_TRUE(taken.has(marks[1]));
}

TEST(LmtpTaken, the_oldest_give_way) {
  deliver::LmtpTaken taken(2, 60);
  std::vector<deliver::LmtpTaken::Mark> marks;
  for (const char* message : {"1", "2", "3"}) marks.push_back(mark(taken, message));
  taken.remember(marks);
  EXPECT_FALSE(taken.has(marks[0]));
  EXPECT_TRUE(taken.has(marks[1]) && taken.has(marks[2]));
}

TEST(LmtpTaken, nothing_is_known_for_longer_than_its_time) {
  deliver::LmtpTaken taken(2, 1);
  const std::vector marks{mark(taken, "m")};
  taken.remember(marks);
  EXPECT_TRUE(taken.has(marks[0]));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_FALSE(taken.has(marks[0]));
}

}  // namespace
}  // namespace postern::base
