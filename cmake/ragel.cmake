# postern_ragel(TARGET FILE.rl [DEPENDS INCLUDED.rl...]): FILE.rl becomes FILE.cpp in the build tree, a source of TARGET.
find_program(RAGEL_EXECUTABLE ragel REQUIRED)

function(postern_ragel target file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "DEPENDS")
  cmake_path(GET file STEM stem)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${stem}.cpp)
  list(TRANSFORM arg_DEPENDS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${RAGEL_EXECUTABLE} -C -G2 -L -I ${CMAKE_CURRENT_SOURCE_DIR} -o ${output} ${CMAKE_CURRENT_SOURCE_DIR}/${file}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${arg_DEPENDS}
    COMMENT "Ragel ${file}"
    VERBATIM)
  # What Ragel writes falls through and converts on purpose.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS
    "-Wno-implicit-fallthrough;-Wno-conversion;-Wno-sign-conversion;-Wno-old-style-cast;-Wno-unused-const-variable;-Wno-shadow")
  target_sources(${target} PRIVATE ${output})
endfunction()
