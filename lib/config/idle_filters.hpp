// Settings of filters that have no effect, because nobody who sets them has a filter for them.
// in      each environment by which clients are served, and its filters: one that has both is enough, since a class of clients may have
//         fewer filters than the variables below it
// out     a sentence for each such setting
// lives   on its own
// errors  none
// source  spec/options.toml: POSTERN_FILTER_FAILURE, POSTERN_FILTER_MAX_OCTETS, POSTERN_RSPAMD_SETTINGS
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/environment.hpp"
#include "config/filters.hpp"

namespace postern::config {

class IdleFilterSettings {
 public:
  void add(const base::Environment& environment, const std::vector<FilterPlace>& filters);
  [[nodiscard]] std::vector<std::string> sentences() const;

 private:
  struct Use {
    bool is_set = false, has_effect = false;
  };
  std::array<Use, 3> uses_{};
};

}  // namespace postern::config
