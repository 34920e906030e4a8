"""The program `postern` as the tests call it, and what is true of the 64 settings by the seed's prose alone.

The program's path is in POSTERN. Nothing here comes from the spec: it is the second opinion.
"""
import itertools
import json
import os
import subprocess

PROGRAM = os.environ.get("POSTERN", "postern")
SETTINGS = ["SSL", "FORCE_TLS", "DENY_TLS", "AUTH", "REQUIRE_AUTH", "ALLOW_INSECURE_AUTH"]
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*arguments, env=None, expect=None):
    """(exit code, stdout, stderr); an environment without settings unless `env` is given."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=env or {}, timeout=60)
    if expect is not None and done.returncode != expect:
        raise AssertionError(f"{arguments}: exit {done.returncode}, wanted {expect}\n{done.stdout}{done.stderr}")
    return done.returncode, done.stdout, done.stderr


def run_json(*arguments, env=None, expect=None):
    return json.loads(run(*arguments, "--json", env=env, expect=expect)[1])


def all_settings():
    for values in itertools.product([0, 1], repeat=len(SETTINGS)):
        yield dict(zip(SETTINGS, values))


def words(settings):
    return [f"{name}={value}" for name, value in settings.items()]


def verdict(s):
    """The seed's prose; a certificate is there, a backend exactly when AUTH=1."""
    if s["FORCE_TLS"] and not s["SSL"] and s["DENY_TLS"]:
        return "refused"
    if s["REQUIRE_AUTH"] and not s["AUTH"]:
        return "refused"
    can_encrypt = s["SSL"] or not s["DENY_TLS"]
    return "dead" if s["REQUIRE_AUTH"] and not s["ALLOW_INSECURE_AUTH"] and not can_encrypt else "live"


def password_in_clear(s):
    return verdict(s) == "live" and bool(s["AUTH"] and s["ALLOW_INSECURE_AUTH"] and not s["SSL"])
