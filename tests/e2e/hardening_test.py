"""What the binaries are made of and what a session takes: hardening, no TLS library in clear, memory, page faults.

Numbers of memory come from the kernel (/proc/PID/smaps_rollup, wait4), for the program alone on a socket pair.
"""

import os
import pathlib
import re
import socket
import sys
import unittest

import peer
from peer import HOST, OURS, run

MAX_PRIVATE_KIB = 250
MAX_PAGE_FAULTS = 110


def readelf(program, *options):
    done = run(["readelf", "-W", *options, program])
    done.check_returncode()
    return done.stdout.decode()


class Binaries(peer.Case):
    programs = property(lambda self: (peer.program(), peer.program() + "-tls"))

    def test_position_independent(self):
        for path in self.programs:
            self.assertIn("DYN (Position-Independent Executable file)", readelf(path, "-h"))
            self.assertRegex(readelf(path, "-d"), r"\(FLAGS_1\) +Flags: .*PIE")

    def test_postern_smtpd_is_static(self):
        self.assertNotIn("(NEEDED)", readelf(peer.program(), "-d"))
        self.assertNotIn("INTERP", readelf(peer.program(), "-l"))

    def test_full_relro(self):
        for path in self.programs:
            self.assertIn("GNU_RELRO", readelf(path, "-l"))
            self.assertRegex(readelf(path, "-d"), r"BIND_NOW|Flags: .*NOW")

    def test_no_executable_stack_and_no_segment_both_writable_and_executable(self):
        for path in self.programs:
            segments = readelf(path, "-l")
            self.assertRegex(segments, r"GNU_STACK +(0x0+ +){3}0x0+ 0x0+ RW ")
            self.assertNotRegex(segments, r" RWE ")

    def test_stack_protector_and_fortify(self):
        for path in self.programs:
            symbols = readelf(path, "-s")
            if "'.symtab'" not in symbols and "(NEEDED)" not in readelf(path, "-d"):
                self.skipTest("the program is stripped, and nothing else names its functions")
            self.assertRegex(symbols, r"__[a-z_]+_chk\b")
            calls = run(["objdump", "-d", "--no-show-raw-insn", path]).stdout.decode()
            self.assertRegex(calls, r"call.*<__stack_chk_fail[@>]")  # called by our functions, not only linked in

    @unittest.skipUnless(os.uname().machine == "x86_64", "-fcf-protection is for x86")
    def test_branches_are_protected(self):
        for path in self.programs:
            code = run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=main", path]).stdout.decode()
            if "<main>:" not in code:
                self.skipTest("the program is stripped")
            self.assertRegex(code, r"<main>:\n.*endbr64")

    def test_no_tls_library_in_clear(self):
        self.assertNotRegex(readelf(peer.program(), "-s"), r"\b(SSL|OPENSSL|EVP|BIO|X509|CRYPTO)_[A-Za-z0-9_]+")
        self.assertNotRegex(pathlib.Path(peer.program()).read_bytes(), rb"OpenSSL [0-9]|libssl|libcrypto")

    def test_tls_library_in_the_sibling(self):
        self.assertIn("libssl.so", readelf(peer.program() + "-tls", "-d"))

    def test_no_search_path_for_libraries(self):
        for path in self.programs:
            self.assertNotRegex(readelf(path, "-d"), r"\((RPATH|RUNPATH)\)")

    def test_not_set_user_id(self):
        for path in self.programs:
            self.assertEqual(os.stat(path).st_mode & 0o6000, 0)


class Sessions(peer.Case):
    def idle_session(self):
        direct = self.start(greeted=True)
        direct.client.say("EHLO client.example", "MAIL FROM:<me@sender.example>", f"RCPT TO:<user@{OURS}>")
        return direct

    def private_kib(self, pid, kinds=r"\w+"):
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        return sum(int(kib) for kib in re.findall(rf"Private_{kinds}: +(\d+) kB", rollup))

    def test_no_tls_page_before_starttls(self):
        direct = self.idle_session()
        maps = pathlib.Path(f"/proc/{direct.pid}/maps")
        self.assertNotRegex(maps.read_text(), r"libssl|libcrypto|\.so")
        self.assertEqual(direct.client.say("STARTTLS"), self.replies["tls_ready"])
        direct.client.start_tls()
        self.assertIn("libssl", maps.read_text())  # the same process, another program

    def test_private_memory_of_an_idle_session(self):
        """Of the second session: what the first has as well, the text of the program, belongs to neither."""
        self.idle_session()
        kib = self.private_kib(self.idle_session().pid)
        print(f"[{kib} KiB]", end=" ", file=sys.stderr)
        self.assertLessEqual(kib, MAX_PRIVATE_KIB)

    def test_memory_does_not_grow_with_mail(self):
        direct = self.start(greeted=True)
        direct.client.say("EHLO client.example")
        self.assert_code(250, direct.client.deliver("x" * 1000))
        before = self.private_kib(direct.pid, "Dirty")
        for _ in range(20):
            self.assert_code(250, direct.client.deliver("\r\n".join(["x" * 900] * 1000)))
        self.assertLessEqual(self.private_kib(direct.pid, "Dirty"), before + 200)
        self.home.forget_mail()

    def test_page_faults_of_a_short_session(self):
        """connect, EHLO, QUIT; the quietest of five, since a first run brings the program into memory."""
        faults = min(self.page_faults() for _ in range(5))
        print(f"[{faults} page faults]", end=" ", file=sys.stderr)
        self.assertLessEqual(faults, MAX_PAGE_FAULTS)

    def page_faults(self):
        ours, its = socket.socketpair()
        ours.settimeout(peer.PATIENCE_SECONDS)
        ours.sendall(b"EHLO client.example\r\nQUIT\r\n")
        actions = [(os.POSIX_SPAWN_DUP2, its.fileno(), 0), (os.POSIX_SPAWN_DUP2, its.fileno(), 1),
                   (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
        with ours, its:
            pid = os.posix_spawn(peer.program(), [peer.program()], self.home.environment(), file_actions=actions)
            its.close()
            said = b"".join(iter(lambda: ours.recv(65536), b""))
        _, status, usage = os.wait4(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertTrue(said.endswith(f"221 {HOST}\r\n".encode()), said)
        return usage.ru_minflt

    def test_descriptors_of_a_session(self):
        """Nothing is open in a session but what it needs; a client has no way to descriptors of another."""
        direct = self.idle_session()
        self.assertEqual(sorted(os.listdir(f"/proc/{direct.pid}/fd")), ["0", "1", "2"])

    def test_programs_that_we_run_get_no_client(self):
        """The check program has its three and descriptor 3, the queue program its pipes: never the connection."""
        listing = self.home.path / "descriptors"
        check = self.home.script("check", f"ls -l /proc/$$/fd >{listing}.check; cat <&3 >/dev/null; exit 0")
        queue = self.home.script("queue", f"ls -l /proc/$$/fd >{listing}.queue; cat >/dev/null; cat <&1 >/dev/null")
        direct = self.start((HOST, check, "/bin/true"), greeted=True, QMAILQUEUE=queue, ALLOW_INSECURE_AUTH=1)
        direct.client.say("AUTH PLAIN " + peer.plain_response("a", "b"))
        self.assert_code(250, direct.client.deliver("x"))
        for kind in ("check", "queue"):
            self.assertNotIn("socket:", pathlib.Path(f"{listing}.{kind}").read_text())

    def test_programs_that_we_run_get_no_client_inside_tls(self):
        listing = self.home.path / "inside"
        queue = self.home.script("queue", f"ls -l /proc/$$/fd >{listing}; cat >/dev/null; cat <&1 >/dev/null")
        direct = self.start(greeted=True, QMAILQUEUE=queue)
        self.assert_code(250, direct.client.starttls().deliver("x"))
        self.assertNotIn("socket:", listing.read_text())

    def assert_forgotten(self, direct):
        """A name that was tried may be found, its password may not, in neither form."""
        password = "a-word-that-is-nowhere-else-and-is-very-long"
        lines = ("AUTH LOGIN", peer.encoded("mallory-was-here"), peer.encoded(password))
        self.assertEqual(direct.client.say(*lines)[-1], self.replies["auth_rejected"])  # one segment, one TLS record
        direct.client.say("EHLO a-name-that-is-kept")
        memory = self.memory_of(direct.pid)
        self.assertTrue(b"a-name-that-is-kept" in memory)  # else we look at the wrong place
        for form in (password, peer.encoded(password)):  # what came later may have overwritten the beginning
            self.assertFalse(form[-20:].encode() in memory, form)

    def test_a_password_does_not_stay_in_memory(self):
        for arguments, settings in ((self.home.check_arguments(), {}), ((), {"AUTH_CDB": self.home.users})):
            self.assert_forgotten(self.start(arguments, greeted=True, ALLOW_INSECURE_AUTH=1, **settings))

    def test_a_password_does_not_stay_in_memory_inside_tls(self):
        direct = self.start(self.home.check_arguments(), greeted=True)
        direct.client.starttls()
        self.assert_forgotten(direct)

    def test_half_a_password_does_not_stay_in_memory(self):
        """A line in two segments, after many others: its first half has moved in the buffer."""
        direct = self.start(self.home.check_arguments(), greeted=True, ALLOW_INSECURE_AUTH=1)
        line = "AUTH PLAIN " + peer.plain_response("mallory", "a-word-that-is-nowhere-else-and-is-very-long")
        direct.client.send_pieces(["NOOP\r\n" * 100 + line[:50], line[50:] + "\r\n"], 0.2)
        self.assertEqual([direct.client.reply() for _ in range(101)][-1], self.replies["auth_rejected"])
        memory = self.memory_of(direct.pid)
        self.assertFalse(line[30:50].encode() in memory, "its first half")
        self.assertFalse(line[-20:].encode() in memory, "its second half")

    def memory_of(self, pid):
        """All that the process can write."""
        octets = b""
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                for begin, end in re.findall(r"(?m)^([0-9a-f]+)-([0-9a-f]+) rw", maps):
                    memory.seek(int(begin, 16))
                    octets += memory.read(int(end, 16) - int(begin, 16))
        except PermissionError as error:
            self.skipTest(f"the kernel does not let us look: {error}")
        return octets


if __name__ == "__main__":
    peer.main()
