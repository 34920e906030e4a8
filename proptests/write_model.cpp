// Prints what the generator has read of the spec, as proptests/spec_reader.py prints what it has read: each row a line, each
// condition as a decision diagram.
//   write_model SPEC_FOLDER
#include <algorithm>
#include <cstdio>
#include <initializer_list>

#include "proptests/diagram.hpp"
#include "spec/elsewhere_file.hpp"
#include "spec/laws.hpp"
#include "spec/refuse.hpp"

namespace {

using namespace postern;
using spec::Model;

// The fields of a row; an empty one is left out when it is a flag.
class Line {
 public:
  explicit Line(std::string begin) : text_(std::move(begin)) {}

  Line& field(const std::string& text) {
    text_ += " | " + text;
    return *this;
  }
  Line& flag(const char* name, bool is_set) { return is_set ? field(name) : *this; }
  void end() const { std::printf("%s\n", text_.c_str()); }

 private:
  std::string text_;
};

std::string hex(std::uint64_t bits) {
  char text[24];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(bits));
  return text;
}

template <typename Rows, typename Text>
std::string joined(const Rows& rows, const char* between, Text text) {
  std::string out;
  for (const auto& row : rows) out += (out.empty() ? "" : between) + text(row);
  return out;
}

void write_settings(const Model& model) {
  for (std::size_t i = 0; i < model.settings.size(); ++i) {
    const spec::Setting& row = model.settings[i];
    Line("setting " + row.name)
        .field(hex(bits_of(model.variables[i])))
        .field("default " + row.default_value)
        .field(std::string("unreadable ") + (row.when_unreadable ? "1" : "0"))
        .field(row.meaning)
        .field(row.source)
        .end();
  }
  for (std::size_t i = 0; i < model.facts.size(); ++i) {
    const spec::Fact& row = model.facts[i];
    Line("fact " + row.name)
        .field(hex(bits_of(model.variables[model.settings.size() + i])))
        .flag("counted", row.is_counted)
        .field(row.meaning)
        .field(row.source)
        .end();
  }
}

void write_states(const Model& model, proptests::Diagrams& show) {
  for (const spec::State& row : model.states) {
    const spec::Variable& variable = model.variables[row.variable];
    std::string values;
    for (std::size_t i = 0; i < variable.values.size(); ++i)
      values += (i == 0 ? "" : ", ") + variable.values[i] + " " + hex(bit_of(variable, i));
    Line("state " + variable.name).field(values).field(row.meaning).field(row.source).end();
    for (const spec::StartValue& start : row.start)
      Line("  at first " + variable.values[start.value]).field(show.text(start.condition)).end();
  }
}

void write_names_of_guards(const Model& model, proptests::Diagrams& show) {
  for (const spec::Derived& row : model.derived)
    Line("derived " + row.name)
        .field(show.text(row.condition))
        .flag("theorem", row.is_theorem)
        .field(row.meaning)
        .field(row.source)
        .end();
  for (const spec::CipherList& row : model.cipher_lists)
    Line("cipher_list " + row.ciphers).field(show.text(row.condition)).field(row.meaning).field(row.source).end();
  for (const spec::Cell& row : model.cells) {
    auto settings = row.settings;
    std::ranges::sort(settings);
    Line("cell " + row.encryption)
        .field(row.auth)
        .field(joined(settings, " ", [](const auto& set) { return set.first + "=" + std::to_string(set.second); }))
        .field(joined(row.marks, ", ", [](const std::string& mark) { return mark; }))
        .field(row.source)
        .end();
  }
}

void write_events(const Model& model) {
  const auto& waiting = model.variables[model.waiting_variable()].values;
  for (const spec::EventRow& row : model.events)
    Line("event " + row.name)
        .field("while " + joined(row.waiting, ", ", [&](std::size_t value) { return waiting[value]; }))
        .flag("auth_attempt", row.is_auth_attempt)
        .flag("forgives", row.forgives_mistakes)
        .field(row.meaning)
        .field(row.source)
        .end();
  for (const spec::EffectRow& row : model.effects) Line("effect " + row.name).field(row.meaning).end();
  for (const spec::QuestionText& row : model.questions)
    Line("question " + row.name)
        .field("asked by " + model.effects[row.effect].name)
        .field("waits " + waiting[row.waits])
        .field("nobody " + model.events[row.nobody].name)
        .field("seconds " + std::to_string(row.seconds))
        .field(row.meaning)
        .field(row.source)
        .end();
}

void write_replies(const Model& model) {
  for (const spec::ReplyText& row : model.replies)
    Line("reply " + row.name)
        .field(std::to_string(row.code))
        .field(row.enhanced)
        .field(row.text)
        .flag("capabilities", row.has_capability_lines)
        .flag("mistake", row.is_mistake)
        .field(row.meaning)
        .field(row.source)
        .end();
  for (const spec::HandOverTextRow& row : model.hand_over_texts)
    Line("hand_over_text " + row.name).field(row.text).flag("permanent", row.is_permanent).field(row.source).end();
  for (const spec::QueueExit& row : model.queue_exits)
    Line("queue_exit " + std::to_string(row.first) + " to " + std::to_string(row.last))
        .field(row.is_permanent ? "permanent" : "temporary")
        .field(row.text)
        .field(row.source)
        .end();
}

std::string changes_of(const Model& model, const spec::RuleRow& rule) {
  std::vector<std::string> changes;
  for (const spec::Change& change : rule.then) {
    const spec::Variable& variable = model.variables[change.variable];
    changes.push_back(variable.name + "=" + variable.values[change.value]);
  }
  std::ranges::sort(changes);
  return joined(changes, ", ", [](const std::string& change) { return change; });
}

void write_policy(const Model& model, proptests::Diagrams& show) {
  for (const spec::RuleRow& row : model.rules)
    Line("rule " + row.id)
        .field("step " + std::to_string(row.step))
        .field("on " + joined(row.events, ", ", [&](std::size_t event) { return model.events[event].name; }))
        .field(show.text(row.condition))
        .field("reply " + model.replies[row.reply].name)
        .field("effect " + model.effects[row.effect].name)
        .field("then " + changes_of(model, row))
        .field(row.reason)
        .field(row.source)
        .end();
  for (const spec::Capability& row : model.capabilities)
    Line("capability " + row.text).field(show.text(row.condition)).field(row.source).end();
}

void write_law(const char* kind, const spec::Law& row, const spec::Laws& laws, proptests::Diagrams& show) {
  Line(std::string(kind) + " " + row.name)
      .field("by " + joined(row.by, ", ", [&](std::size_t need) { return laws.invariants[need].name; }))
      .field(row.sentence)
      .field(row.source)
      .end();
  for (const spec::Clause& clause : row.never)
    Line("  never " +
         joined(clause.conjuncts, " & ",
                [&](const spec::Conjunct& part) { return (part.is_scope ? "only " : "") + show.text(part.condition); }))
        .end();
}

void write_laws(const spec::Laws& laws, proptests::Diagrams& show) {
  for (const spec::LawName& row : laws.names) Line("name " + row.name).field(show.text(row.condition)).end();
  for (const spec::Law& row : laws.invariants) write_law("invariant", row, laws, show);
  for (const spec::Law& row : laws.laws) write_law("law", row, laws, show);
  for (const spec::Possibility& row : laws.possibilities)
    Line("possibility " + row.name)
        .field("when " + show.text(row.when))
        .field("some " + show.text(row.some))
        .field(row.sentence)
        .field(row.source)
        .end();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: write_model SPEC_FOLDER\n", stderr), 2;
  spec::Problems problems;
  const Model model = spec::load_model(argv[1], problems);
  if (!problems.empty()) return spec::refuse(problems);
  const spec::Laws laws = spec::load_laws(argv[1], model, problems);
  const auto elsewhere = spec::load_elsewhere(argv[1], problems);
  if (!problems.empty()) return spec::refuse(problems);
  proptests::Diagrams show(laws.words.variables);
  write_settings(model);
  write_states(model, show);
  write_names_of_guards(model, show);
  write_events(model);
  write_replies(model);
  write_policy(model, show);
  write_laws(laws, show);
  for (const spec::DecisionElsewhere& row : elsewhere) Line("decision " + row.name).field(row.decides).end();
}
