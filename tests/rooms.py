#!/usr/bin/env python3
"""The order of includes, what the core may not touch, and how long a file and how large a class may be
(docs/decisions/0003-rooms.md).

usage: rooms.py SOURCE_FOLDER     prints each offence as file:line: sentence; exit 1 when there is one
       rooms.py --self-test       the rules find what they should
"""
import pathlib
import re
import sys
import tempfile

import class_limits
import heads

CORE = {"engine", "grammar", "spec"}
# The order of includes; each room includes itself, and every room except the first three the core.
BELOW = {
    "grammar": set(),
    "spec": set(),
    "engine": {"grammar", "spec"},
    "base": CORE,
    "tls": CORE | {"base"},
    "loop": CORE | {"base", "tls"},
    "dns": CORE | {"base", "loop"},
    "limits": CORE | {"base"},
    "config": CORE | {"base", "tls", "dns", "limits"},
    "ask": CORE | {"base", "dns", "limits", "config"},
    "filter": CORE | {"base", "loop", "config", "ask"},
    "deliver": CORE | {"base", "loop", "limits", "config", "filter"},
    "observe": CORE | {"base", "tls", "dns", "limits", "config", "ask", "filter", "deliver"},
}
LIB = set(BELOW) - CORE
BELOW["daemon"] = CORE | LIB - {"loop", "limits"}
BELOW["server"] = CORE | LIB
BELOW["audit"] = CORE | {"base"}
BELOW["cli"] = CORE | LIB | {"server", "audit"}
MAY_INCLUDE = {room: below | {room} for room, below in BELOW.items()}
# They include what is shipped, themselves and `testing`, and nothing includes them.
LOOK_IN = ["testing", "simulate", "tests", "proptests", "fuzz", "bench"]
CODE = {".hpp", ".cpp", ".rl"}

# Programs of the build: they read and write files, and never run in a daemon.
BUILD_TIME = re.compile(
    r"(spec/(generate|model|expression|verify|laws|check_laws|check_questions|check_texts|limits_file|elsewhere_file|dialogue_way|refuse|toml_file|smt\w*|write\w*)\.(cpp|hpp)|grammar/make_\w+\.cpp)$")

WORLD_HEADERS = re.compile(
    r"<(sys/(socket|epoll|select|time|wait|stat|mman|un|random)\.h|netinet/.*|arpa/.*|netdb\.h|poll\.h|unistd\.h|"
    r"fcntl\.h|signal\.h|csignal|time\.h|ctime|chrono|openssl/.*|iostream|fstream|sstream|ostream|istream|iomanip|"
    r"cstdio|stdio\.h|filesystem|thread|mutex|shared_mutex|atomic|future|condition_variable|semaphore|stop_token|"
    r"pthread\.h|random|syslog\.h|pwd\.h|grp\.h|crypt\.h|cdb\.h)>")
WORLD_CALLS = re.compile(
    r"\b(getenv|setenv|unsetenv|secure_getenv|time|clock|clock_gettime|gettimeofday|rand|srand|getrandom|printf|fprintf|"
    r"puts|fopen|system|fork|exec[lv]p?e?|sleep|usleep|nanosleep)\s*\(")
ALLOCATION = re.compile(
    r"\b(new\s+\w+|malloc|calloc|realloc|make_unique|make_shared)\b|\bstd::(string|vector|map|set|unordered_\w+|deque|"
    r"list|function)\b(?!_view)")
NO_HEAP = {"grammar", "engine"}  # they allocate nothing (heads of their headers)
ORACLE = re.compile(r"grammar/(oracle\.hpp|line\.rl|mail_data\.rl)$")  # never shipped: what the tests compare with

LIMIT = {".hpp": 400, ".cpp": 400, ".rl": 150}
SIZE_FREE = re.compile(r"^(bench/|tests/conformance/|tests/grammar_command_test\.cpp$)")  # the last one: one table


def without_comments(line: str) -> str:
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    return re.sub(r"//.*", "", line)


def room_of(path: str) -> str:
    first, _, rest = path.partition("/")
    return rest.split("/", 1)[0] if first == "lib" else first


def may_include(room: str, of: str) -> bool:
    if room in LOOK_IN:
        return of not in LOOK_IN or of in (room, "testing")
    return of not in LOOK_IN and (of not in MAY_INCLUDE or of in MAY_INCLUDE[room])


def include_offences(path, number, line):
    found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
    if not found:
        return
    target = found.group(2)
    room, of = room_of(path), room_of(target)
    if found.group(1) == '"' and "/" in target and not may_include(room, of):
        allowed = MAY_INCLUDE.get(room, {"what is shipped", "testing", room})
        yield f"{path}:{number}: {room} includes {target}; it may include only {', '.join(sorted(allowed))}"
    if found.group(1) == "<" and room in CORE and not BUILD_TIME.search(path):
        if WORLD_HEADERS.match(f"<{target}>"):
            yield f"{path}:{number}: <{target}> is of the world, and the core does not touch it"


def call_offences(path, number, line):
    room = room_of(path)
    if room not in CORE or BUILD_TIME.search(path):
        return
    code = without_comments(line)
    found = WORLD_CALLS.search(code)
    if found:
        yield f"{path}:{number}: {found.group(1)}() asks the world, and the core does not"
    may_allocate = room not in NO_HEAP or ORACLE.search(path)
    found = None if may_allocate else ALLOCATION.search(code)
    if found:
        yield f"{path}:{number}: {found.group(0)} may allocate; {room} allocates nothing"


def offences_of(path: str, text: str):
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        yield from include_offences(path, number, line)
        yield from call_offences(path, number, line)
    yield from class_limits.offences(path, text)
    yield from heads.offences(path, text)
    limit = LIMIT[pathlib.PurePath(path).suffix]
    if len(lines) > limit and not SIZE_FREE.match(path):
        yield f"{path}:{len(lines)}: {len(lines)} lines, {limit} are allowed"


def files_of(folder: pathlib.Path):
    for room in [*MAY_INCLUDE, *LOOK_IN]:
        for path in sorted((folder / ("lib/" + room if room in LIB else room)).rglob("*")):
            if path.suffix in CODE and path.is_file():
                yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8", errors="replace")


def self_test() -> int:
    bad = {
        "grammar/a.hpp": '#include "spec/limits.hpp"',
        "spec/a.cpp": '#include "grammar/line.hpp"',
        "engine/a.cpp": '#include "daemon/connection.hpp"',
        "daemon/a.cpp": '#include "testing/guard_page.hpp"',
        "daemon/b.cpp": '#include "server/server.hpp"',
        "lib/base/a.cpp": '#include "config/start.hpp"',
        "lib/dns/a.cpp": '#include "ask/inquiry.hpp"',
        "lib/deliver/lmtp/a.hpp": '#include "ask/recipients.hpp"',
        "audit/a.cpp": '#include "config/start.hpp"',
        "server/a.cpp": '#include "cli/verbs.hpp"',
        "tests/a_test.cpp": '#include "proptests/mutants.hpp"',
        "testing/a.cpp": '#include "tests/parsed_command.hpp"',
        "engine/b.cpp": "#include <sys/socket.h>",
        "engine/c.cpp": "#include <chrono>",
        "spec/b.cpp": "#include <openssl/evp.h>",
        "grammar/b.cpp": "#include <fstream>",
        "engine/d.cpp": '  const char* home = getenv("HOME");',
        "engine/e.cpp": "  std::string text;",
        "grammar/c.cpp": "  auto* p = new int;",
        "engine/f.cpp": "\n" * 401,
        "grammar/g.rl": "\n" * 151,
    }
    good = {
        "engine/a.cpp": '#include "grammar/line.hpp"\n#include "spec/limits.hpp"\n#include <string_view>',
        "daemon/a.cpp": '#include "engine/session.hpp"\n#include <sys/socket.h>',
        "spec/generate.cpp": "#include <fstream>\n#include <openssl/evp.h>",
        "engine/b.cpp": "// getenv(x) is not called here\nstd::string_view v; auto s = \"time(\";",
        "lib/config/a.cpp": '#include "base/number.hpp"\n#include "engine/session.hpp"\n#include <fstream>',
        "tests/a_test.cpp": '#include "daemon/connection.hpp"\n#include "testing/driver.hpp"\n#include <fstream>',
    }
    failed = [f"{path} is not found out" for path, text in bad.items() if not list(offences_of(path, text))]
    failed += class_limits.self_test() + heads.self_test()
    failed += [offence for path, text in good.items() for offence in offences_of(path, text)]
    with tempfile.TemporaryDirectory() as name:
        (pathlib.Path(name) / "engine").mkdir()
        (pathlib.Path(name) / "engine/x.cpp").write_text('#include "daemon/x.hpp"\n')
        if not list(check(pathlib.Path(name))):
            failed.append("a folder is not read")
    print("\n".join(failed) or f"{len(bad)} offences found out, {len(good)} files in order")
    return 1 if failed else 0


def check(folder: pathlib.Path):
    for path, text in files_of(folder):
        yield from offences_of(path, text)


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    offences = list(check(pathlib.Path(sys.argv[1])))
    print("\n".join(offences) or "the rooms are in order")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
