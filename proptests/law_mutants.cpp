#include "proptests/law_mutants.hpp"

#include <algorithm>
#include <utility>

#include "proptests/boxes.hpp"
#include "proptests/mutants.hpp"

namespace postern::proptests {
namespace {

using spec::Expression;
using Kind = Expression::Kind;

// Of more values than these no other is tried in the place of one: what leaves it out says whether that is noticed.
constexpr std::size_t most_values = 20;

Expression both(Expression one, Expression other) {
  Expression result{.kind = Kind::conjunction};
  result.parts = {std::move(one), std::move(other)};
  return result;
}

Expression never() {
  Expression result{.kind = Kind::negation};
  result.parts.emplace_back();
  return result;
}

std::string kind_of(const ChangedExpression& changed) {
  if (changed.how.starts_with("turn")) return "turn a condition";
  if (changed.how.starts_with("leave out")) return "leave out a part";
  return changed.how.starts_with("`(") ? "and for or" : "another value";
}

// A clause as it is written: with the names that the laws have made for themselves.
struct Written {
  std::string name;
  std::vector<Expression> conditions;
  std::vector<std::string> texts;
  std::vector<bool> is_scope;
  bool is_of_states;
};

class List {
 public:
  List(const spec::Model& model, const spec::Laws& laws) : model_(model), words_(laws.words), names_(words_.variables) {
    for (const spec::LawName& name : laws.names) {
      meanings_.push_back(parse(name.text));
      names_.push_back({name.name, {"0", "1"}, true, 0});
    }
    for (const spec::Law& law : laws.laws) read(law, false);
    for (const spec::Law& law : laws.invariants) read(law, true);
  }

  std::vector<LawMutant> make() {
    for (std::size_t clause = 0; clause < clauses_.size(); ++clause) {
      change("drop a clause", clause, "drop it", never());
      for (std::size_t i = 0; i < clauses_[clause].conditions.size(); ++i) change_condition(clause, i);
    }
    for (std::size_t name = 0; name < meanings_.size(); ++name) change_name(name);
    return std::move(mutants_);
  }

 private:
  [[nodiscard]] Expression parse(const std::string& text) const {
    return *spec::parse_expression(text, names_, [](std::string_view) { return nullptr; });
  }

  void read(const spec::Law& law, bool is_of_states) {
    for (const spec::Clause& clause : law.never) {
      Written written{"law " + law.name + ": " + clause.text, {}, {}, {}, is_of_states};
      for (const spec::Conjunct& conjunct : clause.conjuncts) {
        written.conditions.push_back(parse(conjunct.text));
        written.texts.push_back(conjunct.text);
        written.is_scope.push_back(conjunct.is_scope);
      }
      clauses_.push_back(std::move(written));
    }
  }

  // What the names mean is put in their places; one may use those before it.
  [[nodiscard]] Expression with_meanings(const Expression& e, const std::vector<Expression>& meanings) const {
    if (e.kind == Kind::atom && e.variable >= words_.variables.size())
      return with_meanings(meanings[e.variable - words_.variables.size()], meanings);
    Expression result = e;
    for (Expression& part : result.parts) part = with_meanings(part, meanings);
    return result;
  }

  [[nodiscard]] Expression whole(const Written& clause, const std::vector<Expression>& meanings) const {
    Expression all;
    for (const Expression& condition : clause.conditions) all = both(std::move(all), condition);
    all = with_meanings(all, meanings);
    return clause.is_of_states ? said_after(std::move(all), model_, words_) : all;
  }

  void change(std::string kind, std::size_t clause, const std::string& how, Expression condition,
              std::optional<std::size_t> event = {}) {
    mutants_.push_back({std::move(kind), clauses_[clause].name + ": " + how, {{clause, std::move(condition), event}}});
  }

  [[nodiscard]] Expression with(std::size_t clause, std::size_t at, Expression condition) const {
    Written changed = clauses_[clause];
    changed.conditions[at] = std::move(condition);
    return whole(changed, meanings_);
  }

  // A scope is no condition: it says of which decisions the law speaks.
  void change_condition(std::size_t clause, std::size_t at) {
    const Written& written = clauses_[clause];
    if (written.is_scope[at]) return;
    change("drop a condition", clause, "without `" + written.texts[at] + "`", with(clause, at, {}));
    for (ChangedExpression& changed : mutants_of(written.conditions[at], names_, most_values))
      change(kind_of(changed), clause, changed.how, with(clause, at, std::move(changed.expression)));
    except_one_more(clause, at, written.conditions[at], false);
  }

  // `not event is quit` becomes `not event in (quit, rset)`: of each value that stands under an odd number of `not`.
  void except_one_more(std::size_t clause, std::size_t at, const Expression& e, bool is_negated) {
    if (e.kind == Kind::negation) return except_one_more(clause, at, e.parts[0], !is_negated);
    if (e.kind != Kind::atom) {
      // Of a set of values the first part stands for all.
      const bool is_set = e.kind == Kind::disjunction && variable_of(e) < names_.size();
      except_one_more(clause, at, e.parts[0], is_negated);
      if (!is_set) except_one_more(clause, at, e.parts[1], is_negated);
      return;
    }
    if (!is_negated || names_[e.variable].is_boolean) return;
    for (std::size_t value = 0; value < names_[e.variable].values.size(); ++value) add_value(clause, at, e, value);
  }

  // The one variable that all parts speak of; none: as many as there are.
  [[nodiscard]] std::size_t variable_of(const Expression& e) const {
    if (e.kind == Kind::atom) return e.variable;
    if (e.kind != Kind::disjunction) return names_.size();
    const std::size_t left = variable_of(e.parts[0]);
    return left == variable_of(e.parts[1]) ? left : names_.size();
  }

  void add_value(std::size_t clause, std::size_t at, const Expression& atom, std::size_t value) {
    Expression other = atom;
    other.value = value;
    Expression either{.kind = Kind::disjunction};
    either.parts = {atom, other};
    const Expression& whole_condition = clauses_[clause].conditions[at];
    if (speaks_of(whole_condition, other)) return;
    const spec::Variable& variable = names_[atom.variable];
    change("one exception more", clause, "`" + variable.name + " is " + variable.values[value] + "`, too",
           with(clause, at, replaced(whole_condition, atom, either)),
           atom.variable == words_.event ? std::optional(value) : std::nullopt);
  }

  static bool is_same(const Expression& one, const Expression& other) {
    return one.kind == Kind::atom && one.variable == other.variable && one.value == other.value;
  }

  static bool speaks_of(const Expression& e, const Expression& atom) {
    return is_same(e, atom) ||
           std::ranges::any_of(e.parts, [&](const Expression& part) { return speaks_of(part, atom); });
  }

  static Expression replaced(const Expression& e, const Expression& atom, const Expression& by) {
    if (is_same(e, atom)) return by;
    Expression result = e;
    for (Expression& part : result.parts) part = replaced(part, atom, by);
    return result;
  }

  void change_name(std::size_t name) {
    for (ChangedExpression& changed : mutants_of(meanings_[name], names_, most_values)) {
      std::vector<Expression> meanings = meanings_;
      meanings[name] = std::move(changed.expression);
      const Expression atom{.kind = Kind::atom, .variable = words_.variables.size() + name, .value = 1};
      LawMutant mutant{"change a name", "name " + names_[atom.variable].name + ": " + changed.how, {}};
      for (std::size_t clause = 0; clause < clauses_.size(); ++clause) {
        if (uses(clauses_[clause].conditions, atom))
          mutant.clauses.push_back({clause, whole(clauses_[clause], meanings), {}});
      }
      mutants_.push_back(std::move(mutant));
    }
  }

  [[nodiscard]] bool uses(const std::vector<Expression>& conditions, const Expression& name) const {
    return std::ranges::any_of(conditions, [&](const Expression& e) { return uses(e, name); });
  }
  [[nodiscard]] bool uses(const Expression& e, const Expression& name) const {
    if (e.kind == Kind::atom && e.variable >= words_.variables.size())
      return e.variable == name.variable || uses(meanings_[e.variable - words_.variables.size()], name);
    return uses(e.parts, name);
  }

  const spec::Model& model_;
  const spec::Vocabulary& words_;
  std::vector<spec::Variable> names_;  // the words of the laws, then their own names
  std::vector<Expression> meanings_;
  std::vector<Written> clauses_;
  std::vector<LawMutant> mutants_;
};

}  // namespace

std::vector<LawMutant> mutants_of(const spec::Model& model, const spec::Laws& laws) { return List(model, laws).make(); }

}  // namespace postern::proptests
