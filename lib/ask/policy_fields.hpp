// Header fields that policy services want before a message (PREPEND), from RCPT to DATA.
// in      the number of the transaction, and its fields, each ended by LF
// out     the fields of that transaction, in the order in which they came; those of another one are nobody's
// bounds  spec::max_policy_headers in one transaction
// errors  add(): false, those beyond the bound are left out
// source  access(5): PREPEND
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "spec/limits.hpp"

namespace postern::ask {

class PolicyFields {
 public:
  [[nodiscard]] bool add(std::uint32_t transaction, std::span<const std::string> fields) {
    if (transaction != transaction_) {
      text_.clear();
      count_ = 0;
      transaction_ = transaction;
    }
    for (const std::string& field : fields) {
      if (count_ == spec::max_policy_headers) return false;
      text_ += field;
      ++count_;
    }
    return true;
  }
  [[nodiscard]] std::string_view of(std::uint32_t transaction) const {
    return transaction == transaction_ ? std::string_view(text_) : std::string_view();
  }

 private:
  std::uint32_t transaction_ = 0;  // 0: of none
  std::size_t count_ = 0;
  std::string text_;
};

}  // namespace postern::ask
