// The scans of mail data are the machine of mail_data.rl, for input of any length. Four steps, each exhaustive:
//   walk    decode_mail_data_plain, octet by octet, and the machine: every pair of states that any input reaches, with
//           all 256 octets. Both are finite, so that this is a proof and not a sample.
//   pieces  a piece at once is the piece octet by octet: all that copy_to_line_end does with eight octets.
//   lanes   a scan looks at an octet and the one after it, in one lane, and only asks whether they are CR, LF or NUL.
//           So all 256 octets stand in each place of two blocks, and all pairs of classes.
//   blocks  a block in which something is bare, or NUL, is left to the walk. Of any other, the CRs are all that
//           matters, one after the other: the place of this one and the next, how many were before, and the two octets
//           after its LF. All of these are tried in each place, at a header's place and a body's; so is every header
//           name with one octet changed, every string of five octets of all classes, every alignment, and every end.
// A scan that remembers more than this from one CR to the next would escape; there is no variable that could.
// in, out  none; exit status 1 when anything differs, with the octets
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "grammar/mail_data.hpp"
#include "grammar/mail_data_levels.hpp"
#include "grammar/oracle.hpp"

namespace postern::proptests {
namespace {

using grammar::DecodeMailData;
using grammar::MailDataMachine;
using grammar::MailDataState;

struct Decoded {
  std::string text;
  std::size_t consumed = 0;
  bool ended = false;
  MailDataState state;
};

auto facts(const MailDataState& state) {
  return std::tuple(state.saw_bare_cr, state.saw_bare_lf, state.saw_nul, state.hops);
}

// Before the end of a line the two may know a header name at different places; what they know of it must not differ.
bool alike(const Decoded& one, const Decoded& other) {
  return one.text == other.text && one.consumed == other.consumed && one.ended == other.ended &&
         facts(one.state) == facts(other.state) && one.state.at == other.state.at;
}

class Report {
 public:
  void expect(bool good, const char* step, std::string_view octets) {
    ++compared_;
    if (good) return;
    if (++failures_ > 5) return;
    std::printf("%s DIFFERS:", step);
    for (const char octet : octets) std::printf(" %02x", static_cast<unsigned char>(octet));
    std::printf("\n");
  }
  void finish(const char* step) {
    std::printf("%-7s %9zu compared\n", step, compared_);
    compared_ = 0;
  }
  [[nodiscard]] int status() const { return failures_ == 0 ? 0 : 1; }

 private:
  std::size_t compared_ = 0;
  std::size_t failures_ = 0;
};

void decode_more(DecodeMailData& decode, std::string_view octets, Decoded& decoded) {
  static std::array<char, 1024> out;
  if (decoded.ended) return;
  const auto piece = decode(decoded.state, octets, out);
  decoded.text.append(out.data(), piece.written);
  decoded.consumed += piece.consumed;
  decoded.ended = piece.ended;
}

Decoded whole(DecodeMailData& decode, std::string_view octets, const MailDataState& from = {}) {
  Decoded decoded;
  decoded.state = from;
  decode_more(decode, octets, decoded);
  return decoded;
}

Decoded by_octets(std::string_view octets, const MailDataState& from = {}) {
  Decoded decoded;
  decoded.state = from;
  for (std::size_t i = 0; i < octets.size(); ++i)
    decode_more(grammar::decode_mail_data_plain, octets.substr(i, 1), decoded);
  return decoded;
}

struct Pair {
  MailDataState walk;
  MailDataMachine machine;
};

auto name_of(const Pair& pair) {
  const auto& walk = pair.walk;
  return std::tuple(walk.at, walk.in_header, walk.saw_bare_cr, walk.saw_bare_lf, walk.saw_nul, walk.name_octets,
                    walk.name_candidates, pair.machine.state());
}

// Both take the octet; says whether they wrote, ended and noted the same, and whether neither has ended.
bool step_together(Pair& pair, char octet, Report& report, const std::string& word) {
  std::array<char, 4> walk_out{};
  std::array<char, 4> machine_out{};
  const std::string_view piece(&octet, 1);
  const auto walked = grammar::decode_mail_data_plain(pair.walk, piece, walk_out);
  const auto stepped = pair.machine.decode(piece, machine_out);
  const bool same_output =
      std::string_view(walk_out.data(), walked.written) == std::string_view(machine_out.data(), stepped.written);
  const auto machine_facts =
      std::tuple(pair.machine.saw_bare_cr(), pair.machine.saw_bare_lf(), pair.machine.saw_nul(), pair.machine.hops());
  report.expect(same_output && walked.ended == stepped.ended && facts(pair.walk) == machine_facts, "walk", word);
  return !walked.ended;
}

void walk_is_the_machine(Report& report) {
  std::map<decltype(name_of(Pair{})), std::string> seen;
  std::vector<std::pair<Pair, std::string>> left;
  const auto meet = [&](const Pair& pair, const std::string& word) {
    if (seen.try_emplace(name_of(pair), word).second) left.emplace_back(pair, word);
  };
  meet({}, "");
  while (!left.empty() && report.status() == 0) {
    const auto [pair, word] = left.back();
    left.pop_back();
    for (int octet = 0; octet < 256; ++octet) {
      Pair next = pair;
      const std::string longer = word + static_cast<char>(octet);
      if (step_together(next, static_cast<char>(octet), report, longer)) meet(next, longer);
    }
  }
  std::printf("walk    %9zu pairs of states\n", seen.size());
  report.finish("walk");
}

constexpr std::string_view classes("\r\n.\0aR:", 7);

void pieces_are_their_octets(Report& report) {
  MailDataState in_body;
  Decoded body = whole(grammar::decode_mail_data_plain, "\r\nx", in_body);
  for (std::size_t place = 0; place < 17; ++place) {
    for (unsigned both = 0; both < 65536; ++both) {
      std::string octets(24, 'a');
      octets[place] = static_cast<char>(both & 0xFF);
      octets[place + 1] = static_cast<char>(both >> 8);
      const bool is_alike =
          alike(whole(grammar::decode_mail_data_plain, octets, body.state), by_octets(octets, body.state));
      report.expect(is_alike, "pieces", octets);
    }
  }
  report.finish("pieces");
}

std::vector<DecodeMailData*> scans() {
  std::vector<DecodeMailData*> found;
#ifdef __x86_64__
  found.push_back(grammar::decode_mail_data_sse2);
  if (grammar::has_avx2()) found.push_back(grammar::decode_mail_data_avx2);
#endif
  return found;
}

void expect_scans(Report& report, const char* step, std::string_view octets) {
  const Decoded expected = whole(grammar::decode_mail_data_plain, octets);
  for (DecodeMailData* const scan : scans()) report.expect(alike(whole(*scan, octets), expected), step, octets);
}

constexpr std::array<std::string_view, 2> beginnings = {"x", "\r\nx"};  // in a header, in a body
constexpr std::size_t two_blocks = 128;
constexpr std::size_t enough = 132;  // after what is looked at, so that a scan goes on to the end of two blocks

void each_octet_in_each_place(Report& report) {
  for (const std::string_view beginning : beginnings) {
    for (const char filler : {'a', '\xFF', '\x01'}) {
      std::string octets(beginning);
      octets.append(two_blocks + enough, filler);
      for (std::size_t place = beginning.size(); place < beginning.size() + two_blocks + 2; ++place) {
        for (int octet = 0; octet < 256; ++octet) {
          octets[place] = static_cast<char>(octet);
          expect_scans(report, "lanes", octets);
        }
        for (const char first : classes) {
          for (const char second : classes) {
            octets[place] = first;
            octets[place + 1] = second;
            expect_scans(report, "lanes", octets);
          }
        }
        octets[place] = octets[place + 1] = filler;
      }
    }
  }
  report.finish("lanes");
}

// `before` CRLFs, then a CRLF at each two places of the block, with each thing that may follow.
void each_two_lines(Report& report, std::string_view beginning, std::size_t before) {
  constexpr std::array<std::string_view, 6> starts = {"a", ".a", "..", ".\n", ".\r\n", "\r\n"};
  std::string lines(beginning);
  for (std::size_t i = 0; i < before; ++i) lines += i % 2 == 0 ? "\r\n" : "z\r\n";
  const std::size_t room = lines.size() < 65 ? 66 - lines.size() : 1;
  for (std::size_t first = 0; first < room; ++first) {
    for (std::size_t second = 0; second < room - first; ++second) {
      for (const std::string_view one : starts) {
        for (const std::string_view other : starts) {
          std::string octets = lines + std::string(first, 'b') + "\r\n";
          octets.append(one).append(second, 'c').append("\r\n").append(other).append(two_blocks + enough, 'd');
          expect_scans(report, "blocks", octets);
        }
      }
    }
  }
}

void each_changed_name(Report& report) {
  for (const std::string_view name : {"Received:", ".Received:", "Delivered-To:", ".delivered-to:"}) {
    for (std::size_t place = 0; place < 66; ++place) {
      for (std::size_t changed = 0; changed < name.size(); ++changed) {
        std::string octets = std::string(place + 1, 'x') + "\r\n" + std::string(name) + std::string(enough, 'y');
        for (int octet = 0; octet < 256; octet += place % 8 == 0 ? 1 : 37) {
          octets[place + 3 + changed] = static_cast<char>(octet);
          expect_scans(report, "names", octets);
        }
      }
    }
  }
  report.finish("names");
}

std::string nth_string(std::size_t number, std::size_t length, std::string_view of) {
  std::string octets;
  for (; octets.size() < length; number /= of.size()) octets += of[number % of.size()];
  return octets;
}

void each_short_string(Report& report) {
  const std::string_view five = classes.substr(0, 5);
  for (const std::string_view beginning : beginnings) {
    for (std::size_t number = 0; number < 3125; ++number) {
      const std::string middle = nth_string(number, 5, five);
      for (std::size_t place = 0; place < two_blocks + 2; ++place) {
        std::string octets(beginning);
        octets.append(place, 'a').append(middle).append(two_blocks + enough - place, 'b');
        expect_scans(report, "strings", octets);
      }
    }
  }
  report.finish("strings");
}

void each_alignment_and_end(Report& report) {
  static std::array<char, 1024> storage;
  std::string octets = "Received: a\r\nx\r\n\r\nb\r\n..c\r\n";
  while (octets.size() < 400) octets += "dddddddd\r\n.\xFFzzzzzzzzzzzzzzzzzzzzzzzzz\r\n\r\neeee";
  for (std::size_t alignment = 0; alignment < 64; ++alignment) {
    for (std::size_t begin = 0; begin < 64; ++begin) {
      for (std::size_t end = begin; end < begin + 260; ++end) {
        std::copy(octets.begin() + static_cast<std::ptrdiff_t>(begin),
                  octets.begin() + static_cast<std::ptrdiff_t>(end),
                  storage.begin() + static_cast<std::ptrdiff_t>(alignment));
        expect_scans(report, "ends", std::string_view(storage.data() + alignment, end - begin));
      }
    }
  }
  report.finish("ends");
}

}  // namespace
}  // namespace postern::proptests

int main() {
  using namespace postern::proptests;
  Report report;
  walk_is_the_machine(report);
  pieces_are_their_octets(report);
  each_octet_in_each_place(report);
  for (const std::string_view beginning : beginnings) {
    for (std::size_t before = 0; before < 32; ++before) each_two_lines(report, beginning, before);
  }
  report.finish("blocks");
  each_changed_name(report);
  each_short_string(report);
  each_alignment_and_end(report);
  return report.status();
}
