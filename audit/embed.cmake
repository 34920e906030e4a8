# cmake -DNAME=cpp_name -DIN=file -DOUT=file.cpp -P embed.cmake: the text of a file as a constant of postern::audit.
# A file that is absent becomes an empty text.
set(text "")
if(EXISTS "${IN}")
  file(READ "${IN}" text)
endif()
file(WRITE "${OUT}" "#include \"audit/resources.hpp\"\n\nnamespace postern::audit {\nconstexpr char text[] = R\"~~~~(${text})~~~~\";\n"
     "std::string_view ${NAME}() { return {text, sizeof text - 1}; }\n}\n")
