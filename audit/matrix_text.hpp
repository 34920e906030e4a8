// The matrix as text, Markdown and HTML.
#pragma once

#include <string>

#include "audit/behaviour_groups.hpp"

namespace postern::audit {

[[nodiscard]] std::string matrix_text(const Policy& policy, const Matrix& matrix);
[[nodiscard]] std::string matrix_markdown(const Policy& policy, const Matrix& matrix);
// A whole file.
[[nodiscard]] std::string matrix_html(const Policy& policy, const Matrix& matrix);

}  // namespace postern::audit
