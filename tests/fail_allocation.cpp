// Linked into a program, it makes allocations fail: those of `new`, which are all that our own code makes.
// in      FAIL_ALLOCATION: a file with `SKIP COUNT`: after SKIP allocations of this process, COUNT fail
// out     in the same file, when the process ends: how many there were

#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

struct Failing {
  unsigned long skip = ~0UL, count = 0, made = 0;
  const char* path = nullptr;

  Failing() {
    path = std::getenv("FAIL_ALLOCATION");
    if (path == nullptr) return;
    if (FILE* const file = std::fopen(path, "r"); file != nullptr) {
      if (std::fscanf(file, "%lu %lu", &skip, &count) != 2) std::abort();
      std::fclose(file);
    }
  }
  ~Failing() {
    if (path == nullptr) return;
    if (FILE* const file = std::fopen(path, "w"); file != nullptr) {
      std::fprintf(file, "%lu\n", made);
      std::fclose(file);
    }
  }
  bool fails() { return made++ >= skip && made <= skip + count; }
};

Failing& failing() {
  static Failing one;
  return one;
}

}  // namespace

// Not inline, or the compiler sees malloc() where it wants new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (!failing().fails())
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
