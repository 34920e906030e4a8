"""How each rival is fetched, configured and started: an MX for ours.example on a free port of 127.0.0.1, which offers STARTTLS, AUTH
PLAIN and LOGIN to alice where it can, and drops the mail that it takes. Limits of mistakes are raised, delays are off.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from alphabet import OURS, PASSWORD, USER

HOST = "mx.ours.example"
# In namespaces of its own: the packages and the files of this folder lie over the machine's own root, all changes are in memory.
RUN = """set -e
mount -t tmpfs tmpfs "$1/space"
mkdir "$1/space/up" "$1/space/work" "$1/space/root"
cp -a "$1/over" "$1/space/over"
mount -t overlay overlay -o "lowerdir=$1/space/over:/,upperdir=$1/space/up,workdir=$1/space/work" "$1/space/root"
mount -t proc proc "$1/space/root/proc"
mount --rbind /dev "$1/space/root/dev"
root=$1/space/root
shift
exec chroot "$root" "$@"
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def fetch(folder, packages):
    """Debian's packages, unpacked and not installed; (name, version) of the first."""
    over, store = folder / "over", folder / "debs"
    over.mkdir()
    if packages[0].startswith("npm:"):
        return fetch_from_npm(over, packages[0].removeprefix("npm:"))
    store.mkdir()
    os.chmod(store, 0o777)
    subprocess.run(["apt-get", "download", *packages], cwd=store, check=True, capture_output=True, timeout=300)
    for deb in store.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, over], check=True, timeout=120)
    for name in ("bin", "sbin", "lib"):  # links to /usr in the root that they lie over
        if (over / name).is_dir():
            (over / "usr").mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", over / name, over / "usr"], check=True, timeout=60)
            shutil.rmtree(over / name)
    first = next(store.glob(f"{packages[0]}_*.deb"))
    return first.name.split("_")[1].replace("%3a", ":")


def fetch_from_npm(over, package):
    """As fetch(), where Debian has none: npm installs it in /npm, and its scripts do not run."""
    subprocess.run(["npm", "install", "--prefix", over / "npm", "--ignore-scripts", "--no-fund", "--no-audit", package], check=True,
                   capture_output=True, timeout=600)
    return package.rpartition("@")[2]


def write(over, files):
    for name, text in files.items():
        path = over / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def accounts(over, *names):
    """The machine's passwd and group, and these."""
    passwd, group = pathlib.Path("/etc/passwd").read_text(), pathlib.Path("/etc/group").read_text()
    for number, name in enumerate(names, 870):
        if f"\n{name}:" not in passwd:
            passwd += f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
        if f"\n{name}:" not in group:
            group += f"{name}:x:{number}:\n"
    write(over, {"etc/passwd": passwd, "etc/group": group, "etc/resolv.conf": "nameserver 127.0.0.53\n"})


def certificate(over):
    (over / "pem").mkdir()
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
                    "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", over / "pem/key.pem", "-out", over / "pem/cert.pem"],
                   check=True, capture_output=True, timeout=60)
    os.chmod(over / "pem/key.pem", 0o644)


# ---- each rival: its packages, and what it needs in the root; the words that run it in the foreground

def postfix(over, port):
    accounts(over, "postfix", "postdrop")
    main = f"""compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
myhostname = {HOST}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
alias_maps =
virtual_mailbox_domains = {OURS}
virtual_mailbox_maps = static:all
virtual_transport = discard
default_transport = discard
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1001
smtpd_junk_command_limit = 1000
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = /pem/cert.pem
smtpd_tls_key_file = /pem/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = /etc/postfix/sasl
"""
    master = f"127.0.0.1:{port} inet n - n - - smtpd\n" + "".join(f"{line}\n" for line in (
        "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr",
        "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce", "proxymap unix - - n - - proxymap", "discard unix - - n - - discard",
        "anvil unix - - n - 1 anvil", "postlog unix-dgram n - n - 1 postlogd"))
    sasl = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n"
    start = f"""mkdir -p /var/spool/postfix /var/lib/postfix && chown postfix /var/lib/postfix
echo {PASSWORD} | saslpasswd2 -p -c -u {HOST} -f /etc/sasldb2 {USER} && chmod 644 /etc/sasldb2
postfix check; exec /usr/lib/postfix/sbin/master -d
"""
    write(over, {"etc/postfix/main.cf": main, "etc/postfix/master.cf": master, "etc/postfix/sasl/smtpd.conf": sasl, "start": start})
    return ["sh", "/start"]


def exim(over, port):
    accounts(over, "Debian-exim")
    text = f"""primary_hostname = {HOST}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
domainlist local_domains = {OURS}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
queue_only = true
host_lookup =
rfc1413_hosts =
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
smtp_max_unknown_commands = 1000
smtp_max_synprot_errors = 1000
smtp_accept_max_nonmail = 1000
message_size_limit = 10M
check_spool_space = 0
check_spool_inodes = 0
tls_advertise_hosts = *
tls_certificate = /pem/cert.pem
tls_privatekey = /pem/key.pem
auth_advertise_hosts = ${{if def:tls_in_cipher{{*}}}}
begin acl
rcpt:
  accept authenticated = *
  accept domains = +local_domains
  deny
data:
  discard
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1
"""
    start = """mkdir -p /var/spool/exim4/input /var/log/exim4 && chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4
chown root:root /etc/exim4/exim4.conf && chmod 644 /etc/exim4/exim4.conf && exec /usr/sbin/exim4 -bdf
"""
    write(over, {"etc/exim4/exim4.conf": text, "start": start})
    return ["sh", "/start"]


def aiosmtpd(over, port):
    program = f'''import ssl, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if not address.endswith("@{OURS}") and not session.authenticated:
            return "550 not here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        return "250 OK"

def judge(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"{USER}", b"{PASSWORD}"), handled=False)

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/pem/cert.pem", "/pem/key.pem")
Controller(Handler(), hostname="127.0.0.1", port={port}, tls_context=context, authenticator=judge, server_hostname="{HOST}").start()
while True:
    time.sleep(3600)
'''
    write(over, {"server.py": program})
    return ["/usr/bin/python3", "/server.py"]


def chasquid(over, port):
    accounts(over, "chasquid")
    text = f"""hostname: "{HOST}"
smtp_address: "127.0.0.1:{port}"
data_dir: "/var/lib/chasquid"
mail_delivery_agent_bin: "/bin/true"
mail_log_path: "/mail.log"
monitoring_address: ""
"""
    start = f"""d=/etc/chasquid; mkdir -p $d/certs/{HOST} $d/domains/{OURS} /var/lib/chasquid
cp /pem/cert.pem $d/certs/{HOST}/fullchain.pem; cp /pem/key.pem $d/certs/{HOST}/privkey.pem
chasquid-util --configdir=$d user-add {USER}@{OURS} --password={PASSWORD}
for each in b; do chasquid-util --configdir=$d user-add $each@{OURS} --password=x; done
exec chasquid --config_dir=$d
"""
    write(over, {"etc/chasquid/chasquid.conf": text, "start": start})
    return ["sh", "/start"]


def opensmtpd(over, port):
    accounts(over, "opensmtpd", "opensmtpq")
    text = f"""pki {HOST} cert "/pem/cert.pem"
pki {HOST} key "/pem/key.pem"
table users {{ "@" = "mail" }}
table people {{ {USER} = "$5$rounds=1000$oraclesalt$trnN8VapAOXiuXzdVSPJNrmg/ho5bvNky20PjOit3dA" }}
listen on 127.0.0.1 port {port} hostname {HOST} tls pki {HOST} auth-optional <people>
action store mda "/bin/true" virtual <users>
match from any for domain {OURS} action store
match auth from any for any action store
"""
    start = """mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty /run && chmod 711 /var/spool/smtpd && chmod 600 /pem/key.pem
exec /usr/sbin/smtpd -d -f /etc/smtpd.conf
"""
    write(over, {"etc/smtpd.conf": text, "start": start})
    return ["sh", "/start"]


def haraka(over, port):
    shutil.copytree(over / "npm/node_modules/Haraka/config", over / "haraka/config")  # what it comes with
    listed = "\n".join(["tls", "auth/flat_file", "rcpt_to.in_host_list", "queue/discard"])
    write(over, {"haraka/config/smtp.ini": f"listen=127.0.0.1:{port}\n", "haraka/config/plugins": listed + "\n",
                 "haraka/config/me": HOST + "\n", "haraka/config/host_list": OURS + "\n",
                 "haraka/config/tls.ini": "key=/pem/key.pem\ncert=/pem/cert.pem\n",
                 "haraka/config/auth_flat_file.ini": f"[core]\nmethods=PLAIN,LOGIN\nconstrain_sender=false\n[users]\n{USER}={PASSWORD}\n"})
    return ["env", "YES_REALLY_DO_DISCARD=1", "/npm/node_modules/.bin/haraka", "-c", "/haraka"]


SETUPS = {"postfix": (postfix, ["postfix", "sasl2-bin"]), "exim": (exim, ["exim4-daemon-light", "exim4-base"]),
          "aiosmtpd": (aiosmtpd, ["python3-aiosmtpd", "python3-attr", "python3-public"]), "chasquid": (chasquid, ["chasquid"]),
          "opensmtpd": (opensmtpd, ["opensmtpd", "libevent-2.1-7"]), "haraka": (haraka, ["npm:Haraka@3.3.4"])}


def end(process):
    """The first process of the namespace, and with it all of them: --kill-child forgets it where it is a set-user-ID program."""
    for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.wait(60)


@contextlib.contextmanager
def running(name):
    """(port, version); it ends with the block."""
    setup, packages = SETUPS[name]
    with tempfile.TemporaryDirectory(prefix="postern-rival-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        (folder / "space").mkdir()
        version, port = fetch(folder, packages), free_port()
        certificate(folder / "over")
        words = setup(folder / "over", port)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-c",
                                        RUN, "run", folder, *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield port, version
        except BaseException:
            print((folder / "log").read_text("latin-1")[-3000:])
            raise
        finally:
            end(process)
