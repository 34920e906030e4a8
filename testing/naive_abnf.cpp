#include "testing/naive_abnf.hpp"

#include <algorithm>
#include <cctype>

namespace postern::testing {

Rule octet(const std::function<bool(unsigned char)>& fits) {
  return [fits](Text& text, std::size_t at) -> Ways {
    if (at < text.octets.size() && fits(static_cast<unsigned char>(text.octets[at]))) return {{at + 1, {}}};
    text.furthest = std::max(text.furthest, at);
    return {};
  };
}

Rule range(unsigned char first, unsigned char last) {
  return octet([=](unsigned char found) { return first <= found && found <= last; });
}

Rule literal(const std::string& any_case) {
  std::vector<Rule> letters;
  for (const char letter : any_case) {
    letters.push_back(octet([letter](unsigned char found) { return std::toupper(found) == std::toupper(letter); }));
  }
  return sequence(letters);
}

Rule sequence(const std::vector<Rule>& rules) {
  return [rules](Text& text, std::size_t at) -> Ways {
    Ways ways{{at, {}}};
    for (const Rule& rule : rules) {
      Ways longer;
      for (const auto& [end, captures] : ways) {
        for (auto [next_end, more] : rule(text, end)) {
          more.insert(captures.begin(), captures.end());
          longer.emplace(next_end, std::move(more));
        }
      }
      ways = std::move(longer);
    }
    return ways;
  };
}

Rule either(const std::vector<Rule>& rules) {
  return [rules](Text& text, std::size_t at) -> Ways {
    Ways ways;
    for (const Rule& rule : rules) ways.merge(rule(text, at));
    return ways;
  };
}

Rule repeat(std::size_t least, std::size_t most, const Rule& rule) {
  return [=](Text& text, std::size_t at) -> Ways {
    Ways found;
    Ways ways{{at, {}}};
    for (std::size_t times = 0; !ways.empty(); ++times) {
      if (times >= least) found.insert(ways.begin(), ways.end());
      if (times == most) break;
      Ways longer;
      for (const auto& [end, captures] : ways) longer.merge(sequence({rule})(text, end));
      ways = std::move(longer);
    }
    return found;
  };
}

Rule optional(const Rule& rule) { return repeat(0, 1, rule); }

Rule capture(const std::string& name, const Rule& rule) {
  return [=](Text& text, std::size_t at) -> Ways {
    Ways ways;
    for (auto [end, captures] : rule(text, at)) {
      captures[name] = text.octets.substr(at, end - at);
      ways.emplace(end, std::move(captures));
    }
    return ways;
  };
}

Rule only_if(const std::function<bool(std::string_view)>& fits, const Rule& rule) {
  return [=](Text& text, std::size_t at) -> Ways {
    Ways ways = rule(text, at);
    std::erase_if(ways, [&](const auto& way) { return !fits(text.octets.substr(at, way.first - at)); });
    return ways;
  };
}

}  // namespace postern::testing
