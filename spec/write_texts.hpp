// The strings of a generated table, for the programs of the build.
// in      strings of ASCII, one at a time
// out     where each stands in one text, as TextAt is written; and the definition of that text
// source  spec/policy_row.hpp: TextAt
#pragma once

#include <string>
#include <string_view>

namespace postern::spec {

// The one text that all strings point into, so that the tables hold no pointer.
class Texts {
 public:
  std::string add(std::string_view text) {
    std::size_t at = all_.find(text);
    if (at == std::string::npos) {
      at = all_.size();
      all_ += text;
    }
    return "{" + std::to_string(at) + ", " + std::to_string(text.size()) + "}";
  }

  [[nodiscard]] std::string definition() const {
    std::string out = "constexpr char all_text[] =\n";
    for (std::size_t at = 0; at < all_.size(); at += 100) out += "    \"" + escaped(all_.substr(at, 100)) + "\"\n";
    return out + "    ;\n\n";
  }

 private:
  static std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  }

  std::string all_;
};

}  // namespace postern::spec
