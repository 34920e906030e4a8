// operator new for targets whose oracles ask for memory all the time: pieces of one size are kept in a list, and used again.
// who     targets whose product code sees nothing of it: its octets lie before unreadable pages, and it asks for no memory
//         (malloc is still counted and watched). Not those in which it may: they need a sanitizer's own operator new
// limits  each piece has a head of head_octets, which says its size; more than largest goes to malloc
#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t head_octets = alignof(std::max_align_t);
constexpr std::size_t grain = 32, largest = 1024, slab_octets = std::size_t{64} * 1024;

union Piece {
  Piece* next;
  std::size_t sort;  // of those in use; 0 is malloc's
  std::max_align_t alignment;
};
static_assert(sizeof(Piece) <= grain && head_octets >= sizeof(std::size_t));

constinit thread_local std::array<Piece*, largest / grain + 1> kept{};
constinit thread_local std::byte* slab = nullptr;
constinit thread_local std::size_t slab_left = 0;

void* behind_head(void* piece, std::size_t sort) {
  if (piece == nullptr) std::abort();
  static_cast<Piece*>(piece)->sort = sort;
  return static_cast<std::byte*>(piece) + head_octets;
}

void* take(std::size_t octets) {
  const std::size_t sort = (octets + head_octets + grain - 1) / grain;
  if (sort * grain > largest) return behind_head(std::malloc(octets + head_octets), 0);
  if (Piece* const piece = kept[sort]; piece != nullptr) {
    kept[sort] = piece->next;
    return behind_head(piece, sort);
  }
  if (slab_left < sort * grain) {
    slab = static_cast<std::byte*>(std::malloc(slab_octets));
    slab_left = slab_octets;
  }
  slab_left -= sort * grain;
  return behind_head(slab + slab_left, sort);
}

void give_back(void* octets) {
  if (octets == nullptr) return;
  void* const begin = static_cast<std::byte*>(octets) - head_octets;
  auto* const piece = static_cast<Piece*>(begin);
  const std::size_t sort = piece->sort;
  if (sort == 0) return std::free(begin);
  piece->next = kept[sort];
  kept[sort] = piece;
}

}  // namespace

void* operator new(std::size_t octets) { return take(octets); }
void* operator new[](std::size_t octets) { return take(octets); }
void* operator new(std::size_t octets, const std::nothrow_t&) noexcept { return take(octets); }
void* operator new[](std::size_t octets, const std::nothrow_t&) noexcept { return take(octets); }
void operator delete(void* octets) noexcept { give_back(octets); }
void operator delete[](void* octets) noexcept { give_back(octets); }
void operator delete(void* octets, std::size_t) noexcept { give_back(octets); }
void operator delete[](void* octets, std::size_t) noexcept { give_back(octets); }
void operator delete(void* octets, const std::nothrow_t&) noexcept { give_back(octets); }
void operator delete[](void* octets, const std::nothrow_t&) noexcept { give_back(octets); }
