// One answer of HTTP/1.1, read octet by octet, without leniency.
// in      octets as they come
// out     the status and the body
// lives   for one answer, the only one of its connection
// bounds  spec::max_filter_answer_header_octets before the body (and of chunk lines and trailers); of body as many octets as it is
//         made with
// errors  `malformed`: not of that form, without a length, with two, encoded in a way that was not asked for, or too long; why()
//         says which. What follows a complete answer changes nothing but has_more()
// source  RFC 9112 4, 5, 6.3, 7.1; RFC 9110 8.6
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::filter {

class HttpAnswer {
 public:
  enum class State : std::uint8_t { partial, complete, malformed };

  explicit HttpAnswer(std::uint64_t max_body_octets) : max_body_octets_(max_body_octets) {}

  void add(std::string_view octets);

  [[nodiscard]] State state() const {
    return part_ == Part::end ? State::complete : part_ == Part::broken ? State::malformed : State::partial;
  }
  [[nodiscard]] bool has_begun() const { return has_begun_; }
  [[nodiscard]] bool has_more() const { return has_more_; }
  [[nodiscard]] std::string_view why() const { return why_; }
  // Of a complete one.
  [[nodiscard]] unsigned status() const { return status_; }
  [[nodiscard]] const std::string& body() const { return body_; }

 private:
  enum class Part : std::uint8_t { status, fields, body, chunk_size, chunk, chunk_end, trailers, end, broken };

  void end_line();
  void take_status(std::string_view line);
  void take_field(std::string_view line);
  void take_length(std::string_view value);
  void take_chunk_size(std::string_view line);
  void begin_body();
  void expect(std::uint64_t octets, Part otherwise);  // of body
  void fail(std::string_view why);

  std::uint64_t max_body_octets_;
  Part part_ = Part::status;
  std::string line_, body_;
  std::size_t line_octets_ = 0;  // of all lines so far
  std::uint64_t left_ = 0;       // of the body, or of a chunk
  unsigned status_ = 0;
  struct {
    bool has_length = false, is_chunked = false;
    std::uint64_t length = 0;
  } framing_;
  bool has_begun_ = false, has_more_ = false;
  std::string_view why_;
};

}  // namespace postern::filter
