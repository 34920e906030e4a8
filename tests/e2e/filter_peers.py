"""Filters of messages on private sockets: Debian's rspamd with a redis of its own, and a stand-in that answers what it should not."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import peer
from policy_peers import Listening, PATHS

# What a subject asks for. `dns` is where nobody answers: nothing of a message leaves this machine.
CONFIGURATION = """
options {{
  pidfile = "{folder}/rspamd.pid";
  tempdir = "{folder}";
  hs_cache_dir = "{folder}";
  url_tld = "{folder}/tld";
  filters = "";
  local_addrs = [];
  disable_hyperscan = true;
  dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "info"; }}
worker "normal" {{
  bind_socket = "127.0.0.1:{port}";
  bind_socket = "{folder}/socket mode=0666";
  count = 1;
}}
actions {{ reject = 15; rewrite_subject = 8; add_header = 6; greylist = 4; subject = "[SPAM] %s"; unknown_weight = 1; }}
modules {{ path = "/usr/share/rspamd/plugins/greylist.lua"; path = "/usr/share/rspamd/plugins/milter_headers.lua"; }}
greylist {{ servers = "127.0.0.1:{redis}"; timeout = 1h; check_local = true; key_prefix = "rg";
            whitelist_symbols = ["T_MARK_ME", "T_REWRITE_ME"]; }}
milter_headers {{ use = ["x-spam-level", "x-spam-status"]; skip_local = false; extended_spam_headers = false; }}
settings {{
  strict {{ id = "strict"; apply {{ actions {{ reject = 1; }} }} }}
}}
lua = "{folder}/test.lua";
"""

SYMBOLS = """
local function subject_has(words)
  return function(task) return (task:get_header('Subject') or ''):find(words, 1, true) ~= nil end
end
local scores = {['mark me'] = 7, ['rewrite me'] = 9, ['grey me'] = 5}
for words, score in pairs(scores) do
  rspamd_config:register_symbol({name = 'T_' .. words:upper():gsub(' ', '_'), score = score, callback = subject_has(words)})
end
rspamd_config:register_symbol({name = 'T_SOFT', type = 'prefilter', callback = function(task)
  if subject_has('defer me')(task) then task:set_pre_result('soft reject', 'come back later', 'test') end
end})
rspamd_config:register_symbol({name = 'T_DROP', type = 'prefilter', callback = function(task)
  if not subject_has('drop me')(task) then return end
  task:set_pre_result('reject', 'dropped', 'test')
  task:set_milter_reply({reject = 'discard'})
end})
rspamd_config:register_symbol({name = 'T_MILTER', type = 'postfilter', callback = function(task)
  if not subject_has('edit me')(task) then return end
  task:set_milter_reply({
    add_headers = {['X-First'] = {value = '1', order = 1}, ['X-Last'] = {'a', 'b'}},
    remove_headers = {['X-Forged'] = 0},
    add_rcpt = {'more@' .. (task:get_recipients('smtp')[1] or {}).domain},
    change_from = 'new@sender.example'})
end})
rspamd_config:register_symbol({name = 'T_FACTS', type = 'postfilter', callback = function(task)
  if not subject_has('tell me')(task) then return end
  local from, rcpt = task:get_from('smtp') or {{}}, {}
  for _, each in ipairs(task:get_recipients('smtp') or {}) do rcpt[#rcpt + 1] = each.addr end
  task:set_milter_reply({add_headers = {['X-Facts'] = table.concat({tostring(task:get_ip()), task:get_helo() or '-',
    from[1].addr or '-', table.concat(rcpt, ','), task:get_user() or '-', task:get_queue_id() or '-',
    tostring(task:get_request_header('MTA-Name')), tostring(task:get_request_header('TLS-Version')),
    tostring(task:get_request_header('Settings-ID')), tostring(task:get_size())}, ' ')}})
end})
"""


class Process:
    def __init__(self, arguments, folder, is_up):
        self.service = peer.Service(arguments, PATHS, cwd=folder, stdout=subprocess.DEVNULL)
        if not peer.until(is_up, 60):
            log = self.service.log()
            self.service.stop()
            raise TimeoutError("it does not start: " + log)

    def send(self, number):
        os.killpg(self.service.pid, number)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Rspamd:
    """`unix` and `tcp` are its addresses, as POSTERN_FILTERS has them."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-rspamd-"))
        self.folder.chmod(0o755)
        self.port, self.redis_port = peer.free_port(), peer.free_port()
        self.unix, self.tcp = f"rspamd:unix:{self.folder}/socket", f"rspamd:tcp:127.0.0.1:{self.port}"
        (self.folder / "tld").write_text("com\norg\nexample\n")
        (self.folder / "test.lua").write_text(SYMBOLS)
        self.file = self.folder / "rspamd.conf"
        self.file.write_text(CONFIGURATION.format(folder=self.folder, port=self.port, redis=self.redis_port, dns=peer.free_port()))
        self.redis = Process(["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)],
                             self.folder, lambda: listens(self.redis_port))
        self.start()

    def start(self):
        self.process = Process(["rspamd", "-f", "-i", "-c", str(self.file)], self.folder, lambda: listens(self.port))

    def stop(self):
        self.process.service.stop()

    def pause(self):
        self.process.send(signal.SIGSTOP)

    def go_on(self):
        self.process.send(signal.SIGCONT)

    def remove(self):
        self.go_on()
        self.stop()
        self.redis.service.stop()
        shutil.rmtree(self.folder)


def answer(body, fields="", status="200 OK"):
    body = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


class Standin(Listening):
    """Answers each request with the octets of `says`, which a test may change; b"" ends the connection, None says nothing. Then it says
    `again` a moment later, and `ends` the connection or not. `asked` are the requests, head and body."""

    def __init__(self, says):
        self.says, self.again, self.ends, self.asked = says, b"", False, []
        super().__init__()
        self.filter = f"rspamd:{self.address}"

    def serve(self, connection):
        self.connections += 1
        try:
            with connection, connection.makefile("rwb") as file:
                while self.converse(file):
                    pass
        except (OSError, ValueError):
            pass
        self.open.discard(connection)

    def converse(self, file):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = file.readline()
            if not line:
                return False
            head += line
        length = int(next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))[16:])
        self.asked.append((head.decode("latin-1"), file.read(length).decode("latin-1")))
        if self.says is None:
            self.is_ending.wait()
        if not self.says:
            return False
        file.write(self.says)
        file.flush()
        if self.again:
            self.is_ending.wait(0.05)
            file.write(self.again)
            file.flush()
        return not self.ends
