#include "config/idle_filters.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace postern::config {
namespace {

struct Setting {
  std::string_view name;
  bool is_of_rspamd;
};
constexpr std::array<Setting, 3> settings{{{.name = "POSTERN_FILTER_FAILURE", .is_of_rspamd = false},
                                           {.name = "POSTERN_FILTER_MAX_OCTETS", .is_of_rspamd = false},
                                           {.name = "POSTERN_RSPAMD_SETTINGS", .is_of_rspamd = true}}};

}  // namespace

void IdleFilterSettings::add(const base::Environment& environment, const std::vector<FilterPlace>& filters) {
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (environment.value_of(settings[i].name).empty()) continue;
    uses_[i].is_set = true;
    uses_[i].has_effect |= std::ranges::any_of(filters, [&](const FilterPlace& filter) {
      return !settings[i].is_of_rspamd || filter.kind == FilterKind::rspamd;
    });
  }
}

std::vector<std::string> IdleFilterSettings::sentences() const {
  std::vector<std::string> idle;
  for (std::size_t i = 0; i < settings.size(); ++i)
    if (uses_[i].is_set && !uses_[i].has_effect)
      idle.push_back(std::string(settings[i].name) + " has no effect without " +
                     (settings[i].is_of_rspamd ? "a filter of rspamd in " : "") +
                     "POSTERN_FILTERS: name one in it, or unset it");
  return idle;
}

}  // namespace postern::config
