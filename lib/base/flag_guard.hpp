// A flag that is set while something goes on, however that ends.
// in      a flag that is not set, and outlives the guard
// out     set from the guard's beginning to its end
#pragma once

namespace postern::base {

class FlagGuard {
 public:
  explicit FlagGuard(bool& flag) : flag_(flag) { flag_ = true; }
  FlagGuard(const FlagGuard&) = delete;
  FlagGuard& operator=(const FlagGuard&) = delete;
  ~FlagGuard() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace postern::base
