# What every target is compiled with. Two interface targets, so that a room says which kind it is:
#   postern_flags   warnings, sanitizers, hardening
#   postern_core    the same, and neither exceptions nor RTTI: grammar, spec tables, engine, daemon
add_library(postern_flags INTERFACE)
target_include_directories(postern_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/lib)
target_compile_options(postern_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-qual -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror)
# clang blames us for what libstdc++ 12 deprecates and uses itself in std::stable_sort.
target_compile_options(postern_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)

if(POSTERN_SANITIZE)
  target_compile_options(postern_flags INTERFACE
    -fsanitize=${POSTERN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    -fno-sanitize=vptr)  # it needs RTTI, which the rooms do without
  target_link_options(postern_flags INTERFACE -fsanitize=${POSTERN_SANITIZE})
else()
  target_compile_options(postern_flags INTERFACE
    -fstack-protector-strong -fstack-clash-protection -fcf-protection
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
endif()

add_library(postern_core INTERFACE)
target_link_libraries(postern_core INTERFACE postern_flags)
target_compile_options(postern_core INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions> $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)

# Of the rooms that allocate: std::bad_alloc ends one turn or one job there (docs/decisions/0008-memory-that-ends.md).
add_library(postern_world INTERFACE)
target_link_libraries(postern_world INTERFACE postern_flags)
target_compile_options(postern_world INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
