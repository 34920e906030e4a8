// Runs a fuzz target on kept inputs, without a fuzzer: fuzz_TARGET FOLDER... of a build whose POSTERN_FUZZ_ENGINE is empty
// out     how many inputs, and in which time; a target that finds something ends the program itself
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// The mutators are linked with their targets, and never called here.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t*, std::size_t size, std::size_t) { return size; }

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  std::size_t inputs = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) continue;
    for (const auto& file : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream in(file.path(), std::ios::binary);
      // Of just its size, so that a sanitizer sees a read past it.
      const std::vector<std::uint8_t> octets(std::istreambuf_iterator<char>(in), {});
      LLVMFuzzerTestOneInput(octets.data(), octets.size());
      ++inputs;
    }
  }
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  std::printf("%zu inputs, %lld.%03lld s\n", inputs, static_cast<long long>(milliseconds / 1000),
              static_cast<long long>(milliseconds % 1000));
  return inputs == 0 ? 1 : 0;
}
