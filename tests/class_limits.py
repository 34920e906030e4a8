"""How large a class may be: what is larger hides a second state machine (docs/decisions/0003-rooms.md).

A class of a header is read declaration by declaration: methods (constructors, destructors and operators do not count), fields
and, among them, bools. Structs are values, and so not counted.
"""
import re

LIMITS = {"methods": 25, "fields": 12, "bools": 3}
# Those that are larger, and why. One that is not larger any more must go from here.
EXCEPTIONS = {
    "engine/session.hpp:Session": "it is the one state machine, and half of its methods only show what it knows",
    "server/server_process.hpp:Server": "the order of a start and of an end, step by step; its fields are the parts it owns",
    "server/policies.hpp:Policies": "the judgement of each class and its reload share their locks",
    "testing/reference.hpp:Reference": "the second opinion: a whole server in one class, unlike ours on purpose",
    "testing/driver.hpp:Driver": "what a test wants to see of a dialogue, kept",
    "proptests/write_random_dialogues.cpp:Writer": "three opinions side by side, and what they said",
    "fuzz/walk.cpp:Walk": "one breadth-first search, its frontier and what it has found",
    "bench/load.cpp:Session": "one client of the load generator, which carries its figures along",
    "fuzz/play.hpp:Player": "storage that is kept from one input to the next, for speed",
}
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
CLASS = re.compile(r"\bclass\s+(?:\[\[\w+\]\]\s*)?(\w+)\s*(?:final\s*)?(?::[^;{]*)?\{")
SPECIFIER = re.compile(r"\b(?:public|protected|private)\s*:(?!:)")
NO_MEMBER = re.compile(r"\s*(?:friend|using|enum|class|struct|static_assert|static\s+constexpr|template\s*<[^>]*>\s*using)\b")


def without_texts(source):
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', COMMENT.sub("", source))


def end_of_block(text, opening):
    depth = 0
    for at in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return len(text) - 1


def declarations(body):
    """Each declaration of a class body, with `{}` in the place of what stands in braces."""
    said, at = "", 0
    while at < len(body):
        if body[at] == "{":
            end = end_of_block(body, at)
            said += "{}"
            at = end
            is_function = re.search(r"\)[^=;]*\{\}$", said) and not re.search(r"\b(?:class|struct|enum)\b", said)
            if is_function:
                yield said
                said = ""
        elif body[at] == ";":
            yield said
            said = ""
        else:
            said += body[at]
        at += 1


def without_arguments(text):
    """`std::function<void(int)> f` without what stands in angle brackets."""
    while (less := re.sub(r"<[^<>]*>", "", text)) != text:
        text = less
    return text


def without_values(said):
    """`a = f(1, 2), b{}` without what the fields begin with."""
    while (less := re.sub(r"\([^()]*\)", "", said)) != said:
        said = less
    return re.sub(r"=[^,]*|\{\}", "", said)


def members(name, body):
    count = dict.fromkeys(LIMITS, 0)
    for said in declarations(SPECIFIER.sub(";", body)):
        if not said.strip() or NO_MEMBER.match(said):
            continue
        said = without_arguments(re.sub(r"\[\[\w+\]\]|->", " ", said))
        head = said.split("=")[0] if "operator" not in said else said
        if "(" in head:
            is_plain = not re.search(rf"operator|~|\b{name}\s*\(", head)
            count["methods"] += is_plain
            continue
        fields = without_values(said).count(",") + 1
        count["fields"] += fields
        count["bools"] += fields if re.match(r"\s*(?:mutable\s+)?bool\b", said) else 0
    return count


def classes(source):
    text = without_texts(source)
    for found in CLASS.finditer(text):
        body = text[found.end():end_of_block(text, found.end() - 1)]
        yield found[1], members(found[1], body)


def offences(path, source, exceptions=EXCEPTIONS):
    for name, count in classes(source):
        over = [f"{count[kind]} {kind} ({most} are allowed)" for kind, most in LIMITS.items() if count[kind] > most]
        is_excepted = f"{path}:{name}" in exceptions
        if over and not is_excepted:
            yield f"{path}: class {name} has {', '.join(over)}"
        if is_excepted and not over:
            yield f"{path}: class {name} is no exception any more: take it out of the list"


def self_test():
    source = """
    class Small { public: Small(); ~Small(); void a(int b = 0); std::function<void(int)> f_; bool x_ = f(1, 2), y_{}; };
    class Large final : public Small {
      void one() { if (true) { return; } }
      [[nodiscard]] auto two() const -> int;
      template <typename Work> void three(Work work) { work(); }
      struct Inner { int ignored; bool too; };
      enum class Phase : int { a, b };
      static constexpr int four = 4;
      bool operator==(const Large&) const = default;
      Time began_{}, ended_{};  // bool no_;
      std::array<char, 4> octets_;
    };"""
    found = dict(classes(source))
    wanted = {"Small": {"methods": 1, "fields": 3, "bools": 2}, "Large": {"methods": 3, "fields": 3, "bools": 0}}
    return [f"{name}: {found.get(name)}, not {count}" for name, count in wanted.items() if found.get(name) != count]
