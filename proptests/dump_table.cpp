// Prints every row of the generated table as the linked program has it: what the library that the programs ship answers,
// never what the generator had in mind. A line a row, its fields after tabs, numbers as they stand there. In front of it
// what number the compiler gives to each name of the spec, and what the functions of the table say for every combination of
// settings and facts.
//   dump_table
#include <array>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "proptests/names_of_the_spec.hpp"
#include "spec/policy_row.hpp"

namespace {

using namespace postern::spec;
using postern::proptests::names_of_the_spec;

std::string text(std::string_view view) { return std::string(view); }
std::string text(TextAt at) { return std::string(text_at(at)); }

void dump_names() {
  for (const auto& [kind, name, number] : names_of_the_spec)
    std::printf("name\t%s\t%s\t%" PRIu64 "\n", kind, name, number);
  for (const auto& [kind, count] : {std::pair("event", event_count),
                                    {"effect", effect_count},
                                    {"reply", reply_count},
                                    {"rule", rule_count},
                                    {"question", question_count},
                                    {"hand_over_text", hand_over_text_count}})
    std::printf("count\t%s\t%zu\n", kind, count);
  std::printf("waiting_for_answer\t%" PRIu64 "\n", bit::waiting_for_answer);
}

void dump_event(Event event) {
  const auto number = static_cast<unsigned>(event);
  const CountsOf counts = counts_of(event);
  std::printf("event\t%u\t%" PRIu64 "\t%d\t%d\t%s\n", number, waiting_for(event), counts.is_auth_attempt,
              counts.forgives_mistakes, text(name_of(event)).c_str());
  for (const PolicyRow& row : policy_rows(event))
    std::printf("row\t%u\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%u\t%u\t%u\n", number, row.care, row.want,
                row.clear, row.set, static_cast<unsigned>(row.rule), static_cast<unsigned>(row.reply),
                static_cast<unsigned>(row.effect));
}

void dump_numbered_rows() {
  for (unsigned i = 0; i < event_count; ++i) dump_event(static_cast<Event>(i));
  for (unsigned i = 0; i < rule_count; ++i) {
    const auto rule = static_cast<Rule>(i);
    std::printf("rule\t%u\t%s\t%s\n", i, text(name_of(rule)).c_str(), text(reason_of(rule)).c_str());
  }
  for (unsigned i = 0; i < reply_count; ++i) {
    const ReplyRow& row = reply_row(static_cast<Reply>(i));
    std::printf("reply\t%u\t%u\t%d\t%d\t%s\n", i, row.code, row.has_capability_lines, row.is_mistake,
                text(row.text).c_str());
  }
  for (unsigned i = 0; i < question_count; ++i) {
    const QuestionRow& row = question_row(static_cast<Question>(i));
    std::printf("question\t%u\t%" PRIu64 "\t%u\t%u\n", i, row.waiting, static_cast<unsigned>(row.nobody), row.seconds);
  }
  for (unsigned i = 0; i < hand_over_text_count; ++i)
    std::printf("hand_over_text\t%u\t%s\n", i, text(text_of(static_cast<HandOverText>(i))).c_str());
}

void dump_other_rows() {
  for (const CapabilityRow& row : capability_rows())
    std::printf("capability\t%" PRIu64 "\t%" PRIu64 "\t%u\t%s\n", row.care, row.want, row.number,
                text(row.text).c_str());
  for (const QueueExitRow& row : queue_exit_rows())
    std::printf("queue_exit\t%u\t%u\t%d\t%s\n", row.first, row.last, row.is_permanent, text(row.text).c_str());
  for (const SettingRow& row : setting_rows())
    std::printf("setting\t%" PRIu64 "\t%" PRIu64 "\t%d\t%s\n", row.bit, row.default_fact, row.default_value,
                text(row.name).c_str());
}

// For every combination of settings and facts: the first state of a session, and the ciphers.
void dump_starts() {
  std::vector<std::uint64_t> bits;
  for (const auto& name : names_of_the_spec) {
    if (std::string_view(name.kind) == "bit") bits.push_back(name.number);
  }
  for (std::uint64_t chosen = 0; chosen < std::uint64_t{1} << bits.size(); ++chosen) {
    Guards guards;
    for (std::size_t i = 0; i < bits.size(); ++i) guards.set(bits[i], ((chosen >> i) & 1) != 0);
    std::printf("start\t%" PRIu64 "\t%" PRIu64 "\t%s\n", guards.bits, start(guards).bits,
                text(cipher_list(guards)).c_str());
  }
}

}  // namespace

int main() {
  dump_names();
  dump_numbered_rows();
  dump_other_rows();
  dump_starts();
  return std::fflush(stdout) == 0 ? 0 : 1;
}
