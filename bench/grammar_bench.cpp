// The grammar beside what it is measured by, in one run: only ratios between these lines mean anything.
//   commands   parse_command, the same over plain octets, and the parser written by hand
//   mail data  each level of the processor beside memcpy and beside the Ragel machine
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/command_corpus.hpp"
#include "bench/hand_parser.hpp"
#include "grammar/alphabets.hpp"
#include "grammar/command.hpp"
#include "grammar/mail_data_levels.hpp"
#include "grammar/oracle.hpp"

namespace postern::bench {
namespace {

using grammar::Command;
using grammar::MailDataState;
using grammar::SyntaxError;
using Result = std::expected<Command, SyntaxError>;

constexpr std::size_t sessions = 400;

// On a shared machine the least of several repetitions says most (--benchmark_repetitions=10).
void with_least(benchmark::internal::Benchmark* benchmark) {
  benchmark->ComputeStatistics(
      "least", [](const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); });
}

template <Result Parse(std::string_view)>
void commands(benchmark::State& state) {
  const CommandCorpus corpus(sessions);
  for (auto _ : state) {
    for (const auto line : corpus.lines()) benchmark::DoNotOptimize(Parse(line));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(corpus.lines().size()));
}

Result parse_over_octets(std::string_view line) { return parse_command_over(grammar::Octets{}, line); }

BENCHMARK(commands<grammar::parse_command>)->Name("commands/machine")->Apply(with_least);
BENCHMARK(commands<parse_by_hand>)->Name("commands/by_hand")->Apply(with_least);
BENCHMARK(commands<parse_over_octets>)->Name("commands/machine_over_octets")->Apply(with_least);

// Text as it comes: a header of 1 KB, then lines of 60 to 78 octets; every `dotted`th begins with a dot.
std::string message(std::size_t octets, std::uint32_t dotted) {
  std::string text;
  for (int i = 0; i < 4; ++i) text += "Received: from a.example (a.example [192.0.2.1]) by b.example; 1 Jan 2030\r\n";
  while (text.size() < 1000) text += "X-Header: some words about nothing in particular, of a usual length\r\n";
  text += "\r\n";
  std::uint32_t seed = 1;
  while (text.size() < octets) {
    seed = seed * 1664525U + 1013904223U;
    if (dotted != 0 && (seed >> 9) % dotted == 0) text += "..";
    text.append(58 + (seed >> 20) % 19, 'x');
    text += "\r\n";
  }
  text.resize(octets);
  if (text.back() == '\r') text.back() = 'x';
  return text;
}

constexpr std::size_t small_octets = 4 * 1024;
constexpr std::size_t usual_octets = 32 * 1024;
constexpr std::size_t great_octets = 64 * 1024 * 1024;

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Args({small_octets, 0})->Args({usual_octets, 0})->Args({usual_octets, 10})->Args({great_octets, 0});
}

template <typename Copy>
void mail_data(benchmark::State& state, Copy copy) {
  const std::string text =
      message(static_cast<std::size_t>(state.range(0)), static_cast<std::uint32_t>(state.range(1)));
  std::string out(text.size() + 2, '\0');
  for (auto _ : state) {
    copy(text, out);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

template <grammar::DecodeMailData Decode>
void decoded(benchmark::State& state) {
  mail_data(state, [](const std::string& text, std::string& out) {
    MailDataState automaton;
    benchmark::DoNotOptimize(Decode(automaton, text, out));
  });
}

void copied(benchmark::State& state) {
  mail_data(state,
            [](const std::string& text, std::string& out) { std::memcpy(out.data(), text.data(), text.size()); });
}

void by_ragel(benchmark::State& state) {
  mail_data(state, [](const std::string& text, std::string& out) {
    grammar::MailDataMachine machine;
    benchmark::DoNotOptimize(machine.decode(text, out));
  });
}

BENCHMARK(copied)->Name("mail_data/memcpy")->Apply(sizes)->Apply(with_least);
#ifdef __x86_64__
BENCHMARK(decoded<grammar::decode_mail_data_avx2>)->Name("mail_data/avx2")->Apply(sizes)->Apply(with_least);
BENCHMARK(decoded<grammar::decode_mail_data_sse2>)->Name("mail_data/sse2")->Apply(sizes)->Apply(with_least);
#endif
BENCHMARK(decoded<grammar::decode_mail_data_plain>)->Name("mail_data/plain")->Apply(sizes)->Apply(with_least);
BENCHMARK(by_ragel)->Name("mail_data/ragel")->Apply(sizes)->Apply(with_least);

// A comparison means nothing between parsers that do not say the same.
bool say_the_same(std::string_view line) {
  const Result fast = grammar::parse_command(line);
  const Result hand = parse_by_hand(line);
  if (fast.has_value() != hand.has_value()) return false;
  if (!fast) return fast.error() == hand.error();
  return fast->verb == hand->verb && fast->argument == hand->argument &&
         fast->path.local_part == hand->path.local_part && fast->path.domain == hand->path.domain &&
         fast->parameters.size_octets == hand->parameters.size_octets &&
         fast->parameters.body == hand->parameters.body && fast->mechanism == hand->mechanism &&
         fast->parameters.auth_mailbox == hand->parameters.auth_mailbox &&
         fast->initial_response == hand->initial_response;
}

void check(std::string_view line) {
  if (say_the_same(line)) return;
  std::fprintf(stderr, "the two parsers differ: %.*s\n", static_cast<int>(line.size()), line.data());
  std::exit(1);
}

void check_parsers() {
  const CommandCorpus corpus(sessions);
  for (const auto line : corpus.lines()) {
    check(line);
    for (std::size_t at = 0; at < line.size(); ++at) {
      for (const char octet : {' ', '>', '@', '.', '-', '\t', '"', '\\', '='}) {
        std::string mutated(line);
        mutated[at] = octet;
        check(mutated);
      }
      check(line.substr(0, at));
    }
  }
}

}  // namespace
}  // namespace postern::bench

int main(int argc, char** argv) {
  postern::bench::check_parsers();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
