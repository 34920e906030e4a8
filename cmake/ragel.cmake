# postern_ragel(TARGET FILE.rl [ALPHABET DIRECTORY] [DEPENDS INCLUDED.rl...]): FILE.rl becomes FILE.rl.cpp in the
# build tree, a source of TARGET; with ALPHABET over the alphabet.rl and alphabet.hpp in DIRECTORY of the build tree.
find_program(RAGEL_EXECUTABLE ragel REQUIRED)

function(postern_ragel target file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "ALPHABET" "DEPENDS")
  cmake_path(GET file STEM stem)
  set(directory ${CMAKE_CURRENT_BINARY_DIR}/${arg_ALPHABET})
  set(output ${directory}/${stem}.rl.cpp)
  list(TRANSFORM arg_DEPENDS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  if(arg_ALPHABET)
    list(APPEND arg_DEPENDS ${directory}/alphabet.rl ${directory}/alphabet.hpp)
    set_source_files_properties(${output} PROPERTIES INCLUDE_DIRECTORIES ${directory})
  endif()
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${RAGEL_EXECUTABLE} -C -G2 -L -I ${CMAKE_CURRENT_SOURCE_DIR} -I ${directory} -o ${output}
            ${CMAKE_CURRENT_SOURCE_DIR}/${file}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${arg_DEPENDS}
    COMMENT "Ragel ${file} ${arg_ALPHABET}"
    VERBATIM)
  # What Ragel writes falls through and converts on purpose.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS
    "-Wno-implicit-fallthrough;-Wno-conversion;-Wno-sign-conversion;-Wno-old-style-cast;-Wno-unused-const-variable;-Wno-shadow")
  target_sources(${target} PRIVATE ${output})
endfunction()
