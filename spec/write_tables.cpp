#include <algorithm>

#include "spec/write_texts.hpp"
#include "spec/writers.hpp"

namespace postern::spec {
namespace {

// `mail.starttls_first` is the enumerator mail_starttls_first.
std::string enumerator(std::string_view name) {
  std::string result(name);
  std::ranges::replace(result, '.', '_');
  return result;
}

// `Event` with its enumerators, and `event_count`.
template <typename Rows, typename Name>
std::string write_enum(std::string_view type, std::string_view count, const Rows& rows, Name name) {
  std::string out = "enum class " + std::string(type) + " : std::uint8_t {\n";
  for (const auto& row : rows) out += "  " + enumerator(name(row)) + ",\n";
  return out + "};\ninline constexpr std::size_t " + std::string(count) + " = " + std::to_string(rows.size()) + ";\n\n";
}

std::string hex(std::uint64_t value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  do {
    out.insert(out.begin(), digits[value & 15]);
    value >>= 4;
  } while (value != 0);
  return "0x" + out;
}

std::string truth(bool value) { return value ? "true" : "false"; }

std::string guard(const Cube& cube) { return hex(cube.care) + ", " + hex(cube.want); }

std::string policy_row(const Model& model, const Row& row) {
  const RuleRow& rule = model.rules[row.rule];
  Cube change;
  for (const Change& c : rule.then) {
    change.care |= bits_of(model.variables[c.variable]);
    change.want |= bit_of(model.variables[c.variable], c.value);
  }
  return "    {" + guard(row.guard) + ", " + guard(change) + ", Rule::" + enumerator(rule.id) +
         ", Reply::" + enumerator(model.replies[rule.reply].name) +
         ", Effect::" + enumerator(model.effects[rule.effect].name) + "},\n";
}

std::string write_policy_rows(const Model& model) {
  std::string rows = "constexpr PolicyRow rows[] = {\n";
  std::string index = "constexpr std::uint16_t first_row[event_count + 1] = {";
  std::size_t count = 0;
  const auto by_event = rows_of(model);
  for (std::size_t event = 0; event < by_event.size(); ++event) {
    index += std::to_string(count) + ", ";
    rows += "    // " + model.events[event].name + "\n";
    for (const Row& row : by_event[event]) rows += policy_row(model, row);
    count += by_event[event].size();
  }
  return rows + "};\n\n" + index + std::to_string(count) + "};\n\n";
}

std::string write_waiting(const Model& model) {
  const Variable& waiting = model.variables[model.waiting_variable()];
  std::string out = "constexpr std::uint64_t waiting[event_count] = {";
  for (const EventRow& event : model.events) {
    std::uint64_t bits = 0;
    for (const std::size_t value : event.waiting) bits |= bit_of(waiting, value);
    out += hex(bits) + ", ";
  }
  return out + "};\n\n";
}

std::string write_questions(const Model& model) {
  const Variable& waiting = model.variables[model.waiting_variable()];
  std::string out = "constexpr QuestionRow questions[question_count] = {\n";
  for (const QuestionText& question : model.questions)
    out += "    {" + hex(bit_of(waiting, question.waits)) +
           ", Event::" + enumerator(model.events[question.nobody].name) + ", " + std::to_string(question.seconds) +
           "},\n";
  return out + "};\n\n";
}

template <typename Rows, typename Text>
std::string write_texts(std::string_view name, const Rows& rows, Texts& texts, Text text) {
  std::string out = "constexpr TextAt " + std::string(name) + "[] = {\n";
  for (const auto& row : rows) out += "    " + texts.add(text(row)) + ",\n";
  return out + "};\n\n";
}

std::string write_replies(const Model& model, Texts& texts, std::string_view version) {
  std::string out = "constexpr ReplyRow replies[] = {\n";
  for (const ReplyText& reply : model.replies) {
    std::string text = reply.text;
    if (const std::size_t at = text.find("{version}"); at != std::string::npos) text.replace(at, 9, version);
    out += "    {" + std::to_string(reply.code) + ", " + truth(reply.has_capability_lines) + ", " +
           truth(reply.is_mistake) + ", " + texts.add(text) + "},\n";
  }
  return out + "};\n\n";
}

std::string write_counts(const Model& model) {
  std::string out = "constexpr CountsOf counts[] = {\n";
  for (const EventRow& event : model.events)
    out += "    {" + truth(event.is_auth_attempt) + ", " + truth(event.forgives_mistakes) + "},\n";
  return out + "};\n\n";
}

std::string write_capabilities(const Model& model, Texts& texts) {
  std::string out = "constexpr CapabilityRow capabilities[] = {\n";
  for (std::size_t i = 0; i < model.capabilities.size(); ++i) {
    const std::string text = texts.add(model.capabilities[i].text);
    for (const Cube& cube : to_cubes(model.capabilities[i].condition, model.variables))
      out += "    {" + guard(cube) + ", " + text + ", " + std::to_string(i) + "},\n";
  }
  return out + "};\n\n";
}

std::string write_cipher_lists(const Model& model, Texts& texts) {
  std::string out = "constexpr CipherListRow cipher_lists[] = {\n";
  for (const CipherList& list : model.cipher_lists) {
    const std::string text = texts.add(list.ciphers);
    for (const Cube& cube : to_cubes(list.condition, model.variables))
      out += "    {" + guard(cube) + ", " + text + "},\n";
  }
  return out + "};\n\n";
}

std::string write_queue_exits(const Model& model, Texts& texts) {
  std::string out = "constexpr QueueExitRow queue_exits[] = {\n";
  for (const QueueExit& exit : model.queue_exits) {
    out += "    {" + std::to_string(exit.first) + ", " + std::to_string(exit.last) + ", " + truth(exit.is_permanent) +
           ", " + texts.add(exit.text) + "},\n";
  }
  return out + "};\n\n";
}

std::string write_settings(const Model& model, Texts& texts) {
  std::string out = "constexpr SettingRow settings[] = {\n";
  for (std::size_t i = 0; i < model.settings.size(); ++i) {
    const Setting& setting = model.settings[i];
    const std::size_t fact = model.variable_of(setting.default_value);
    out += "    {" + hex(bits_of(model.variables[i])) + ", " +
           (fact < model.variables.size() ? hex(bits_of(model.variables[fact])) : "0") + ", " +
           (setting.default_value == "1" ? "true" : "false") + ", " + texts.add(setting.name) + "},\n";
  }
  return out + "};\n\n";
}

std::string write_start(const Model& model) {
  std::string out = "Guards start(Guards settings_and_facts) {\n  Guards guards = settings_and_facts;\n";
  for (const State& state : model.states) {
    std::string otherwise = "  ";
    for (const StartValue& start : state.start) {
      const std::string set = "guards.bits |= " + hex(bit_of(model.variables[state.variable], start.value)) + ";\n";
      std::string condition;
      for (const Cube& cube : to_cubes(start.condition, model.variables)) {
        if (cube.care == 0) continue;
        condition +=
            (condition.empty() ? "" : " || ") + ("(guards.bits & " + hex(cube.care) + ") == " + hex(cube.want));
      }
      out += condition.empty() ? otherwise + set : otherwise + "if (" + condition + ") " + set;
      otherwise = "  else ";
    }
  }
  return out + "  return guards;\n}\n\n";
}

constexpr std::string_view accessors =
    R"(std::string_view text_at(TextAt at) { return {all_text + at.offset, at.octets}; }

std::span<const PolicyRow> policy_rows(Event event) {
  const auto i = static_cast<std::size_t>(event);
  return {rows + first_row[i], static_cast<std::size_t>(first_row[i + 1] - first_row[i])};
}

std::uint64_t waiting_for(Event event) { return waiting[static_cast<std::size_t>(event)]; }
const ReplyRow& reply_row(Reply reply) { return replies[static_cast<std::size_t>(reply)]; }
const QuestionRow& question_row(Question question) { return questions[static_cast<std::size_t>(question)]; }
CountsOf counts_of(Event event) { return counts[static_cast<std::size_t>(event)]; }
std::span<const CapabilityRow> capability_rows() { return capabilities; }
std::span<const QueueExitRow> queue_exit_rows() { return queue_exits; }
std::string_view cipher_list(Guards guards) {
  for (const CipherListRow& row : cipher_lists)
    if ((guards.bits & row.care) == row.want) return text_at(row.text);
  return {};
}
std::span<const SettingRow> setting_rows() { return settings; }
std::string_view text_of(HandOverText text) { return text_at(hand_over_texts[static_cast<std::size_t>(text)]); }
std::string_view name_of(Event event) { return text_at(event_names[static_cast<std::size_t>(event)]); }
std::string_view name_of(Effect effect) { return text_at(effect_names[static_cast<std::size_t>(effect)]); }
std::string_view name_of(Question question) { return text_at(question_names[static_cast<std::size_t>(question)]); }
std::string_view name_of(Rule rule) { return text_at(rule_names[static_cast<std::size_t>(rule)]); }
std::string_view reason_of(Rule rule) { return text_at(rule_reasons[static_cast<std::size_t>(rule)]); }

Guards with_defaults(Guards guards, std::uint64_t given) {
  for (const SettingRow& row : settings) {
    if ((given & row.bit) == 0)
      guards.set(row.bit, row.default_fact == 0 ? row.default_value : guards.has(row.default_fact));
  }
  return guards;
}
)";

}  // namespace

std::string write_names(const Model& model) {
  std::string out =
      "// Written by spec/generate.cpp from spec/*.toml. Names only: shapes are in spec/policy_row.hpp.\n"
      "#pragma once\n\n#include <cstddef>\n#include <cstdint>\n\nnamespace postern::spec {\n\n";
  out += write_enum("Event", "event_count", model.events, [](const EventRow& row) { return row.name; });
  out += write_enum("Effect", "effect_count", model.effects, [](const EffectRow& row) { return row.name; });
  out += write_enum("Question", "question_count", model.questions, [](const QuestionText& row) { return row.name; });
  out += write_enum("Reply", "reply_count", model.replies, [](const ReplyText& row) { return row.name; });
  out += write_enum("Rule", "rule_count", model.rules, [](const RuleRow& row) { return row.id; });
  out += write_enum("HandOverText", "hand_over_text_count", model.hand_over_texts,
                    [](const HandOverTextRow& row) { return row.name; });
  out += "namespace bit {\n";
  for (const Variable& variable : model.variables) {
    if (variable.is_boolean) {
      out += "inline constexpr std::uint64_t " + variable.name + " = " + hex(bits_of(variable)) + ";\n";
      continue;
    }
    for (std::size_t value = 0; value < variable.values.size(); ++value) {
      out += "inline constexpr std::uint64_t " + variable.name + "_" + variable.values[value] + " = " +
             hex(bit_of(variable, value)) + ";\n";
    }
  }
  std::uint64_t asked = 0;
  for (const QuestionText& question : model.questions)
    asked |= bit_of(model.variables[model.waiting_variable()], question.waits);
  out += "inline constexpr std::uint64_t waiting_for_answer = " + hex(asked) + ";  // of some question\n";
  return out + "}  // namespace bit\n\n}  // namespace postern::spec\n";
}

std::string write_tables(const Model& model, std::string_view hash, std::string_view version) {
  Texts texts;
  const std::string event_names = write_texts("event_names", model.events, texts, [](const auto& e) { return e.name; });
  const std::string effect_names =
      write_texts("effect_names", model.effects, texts, [](const auto& e) { return e.name; });
  const std::string question_names =
      write_texts("question_names", model.questions, texts, [](const auto& q) { return q.name; });
  const std::string rule_names = write_texts("rule_names", model.rules, texts, [](const auto& r) { return r.id; });
  const std::string reasons = write_texts("rule_reasons", model.rules, texts, [](const auto& r) { return r.reason; });
  const std::string replies = write_replies(model, texts, version);
  const std::string capabilities = write_capabilities(model, texts);
  const std::string cipher_lists = write_cipher_lists(model, texts);
  const std::string queue_exits = write_queue_exits(model, texts);
  const std::string settings = write_settings(model, texts);
  const std::string hand_over_texts =
      write_texts("hand_over_texts", model.hand_over_texts, texts, [](const auto& t) { return t.text; });
  return "// Written by spec/generate.cpp from spec/*.toml.\n#include \"spec/effect_names.hpp\"\n#include "
         "\"spec/policy_row.hpp\"\n\n"
         "namespace postern::spec {\nnamespace {\n\n" +
         texts.definition() + event_names + effect_names + question_names + rule_names + reasons + replies +
         capabilities + cipher_lists + queue_exits + settings + hand_over_texts + write_counts(model) +
         write_policy_rows(model) + write_waiting(model) + write_questions(model) + "}  // namespace\n\n" +
         std::string(accessors) + "std::string_view policy_hash() { return \"" + std::string(hash) + "\"; }\n\n" +
         write_start(model) + "}  // namespace postern::spec\n";
}

}  // namespace postern::spec
