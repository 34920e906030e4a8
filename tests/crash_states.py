"""Every state that a crash may leave of a Maildir, from the system calls of the program that writes it.

in      the traces of strace -ff -y -ttt -T, one of each thread; the folder below which mailboxes are; messages whose Subject says for which
model   a file keeps for sure what was written before its last fsync, and of what was written since any part; a folder
        keeps for sure the names that it was given or lost before its last fsync, and of the changes since
        - POSIX   any, each for itself
        - ext4    the first ones of all folders together, in their order: an fsync commits all that came before it
out     what is wrong, a sentence each: a message that was acknowledged and is not whole in a mailbox; a name in `new`
        that shows a part of a message. At each call, for each state
source  fsync(2), POSIX.1-2024 fsync(); ext4(5): data=ordered; maildir(5)
"""
import itertools
import os
import re
from dataclasses import dataclass, field

CALL = re.compile(r"^(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+)(.*?)(?: <(\d+\.\d+)>)?$")
NAME = re.compile(r"id (\d+)-(\d+);")  # of a message, in its Received field, and in the reply that says it is safe
SAFE = re.compile(r"250 ok (\d+) qp (\d+)")
SUBJECT = re.compile(r"Subject: ([^\\]*)\\n")
AT = r"(?:AT_FDCWD|(\d+))(?:<([^>]*)>)?"
BESIDE_NEW = re.compile(r"/(?:tmp|cur)(?:/|$)")  # nothing asks what is there
MOST_PENDING = 16  # names that no fsync has made durable: each doubles the states


@dataclass
class File:
    written: int = 0  # pieces
    synced: int = 0
    text: str = ""

    def is_whole(self):
        return self.synced == self.written

    def message(self):
        found = NAME.search(self.text)
        return found and found.groups()


@dataclass
class Change:
    folder: str  # whose names change
    name: str
    file: File | None  # None: the name goes, or is that of a folder
    is_folder: bool = False
    is_synced: bool = False


@dataclass
class Disk:
    root: str
    files: dict = field(default_factory=dict)  # by descriptor
    names: dict = field(default_factory=dict)  # by path, as the program sees them
    changes: list = field(default_factory=list)

    def change(self, path, file, is_folder=False):
        if path.startswith(self.root) and not BESIDE_NEW.search(path[len(self.root):]):
            self.changes.append(Change(os.path.dirname(path), os.path.basename(path), file, is_folder))
        self.names[path] = file

    def sync(self, descriptor, path, began):
        """What was done before the call began."""
        if descriptor in self.files:
            file = self.files[descriptor]
            file.synced = max(file.synced, began["written"].get(id(file), 0))
        for change in self.changes[:began["changes"]]:
            change.is_synced = change.is_synced or change.folder == path

    def now(self):
        return {"changes": len(self.changes), "written": {id(file): file.written for file in self.files.values()}}


def joined(folder, path):
    return os.path.normpath(os.path.join(folder or "", path))


def calls(traces):
    """Two events a call, its begin and its end, in the order of time: (phase, thread, name, arguments, result, rest)."""
    events = []
    for thread, lines in traces.items():
        for found in filter(None, map(CALL.match, lines)):
            began, name, arguments, result, rest, took = found.groups()
            events.append((float(began), "begins", thread, name, arguments, int(result), rest))
            events.append((float(began) + float(took or 0), "ends", thread, name, arguments, int(result), rest))
    events.sort(key=lambda event: event[0])  # stable: those of one thread stay in their order
    return [event[1:] for event in events]


def texts(arguments):
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', arguments))


class Walk:
    """Goes through a trace. `without`: the number of a sync that is left out, to see that it is needed."""

    def __init__(self, root, one_process, without=None):
        self.disk, self.one_process = Disk(root), one_process
        self.without, self.syncs, self.began, self.submitted = without, 0, {}, {}
        self.mailboxes, self.safe = {}, set()  # of each message; those that were acknowledged
        self.states, self.problems = {"POSIX": 0, "ext4": 0}, []

    def seen(self):
        return (len(self.disk.changes), len(self.safe), self.syncs, sum(file.written for file in self.disk.files.values()))

    def run(self, events):
        seen = None
        for phase, thread, name, arguments, result, rest in events:
            if phase == "begins":
                self.began[thread, name] = self.disk.now()
                if name == "close":  # the number may be another thread's before the call is over
                    self.disk.files.pop(self.place(thread, re.match(r"\d+", arguments)[0]), None)
                if name in ("write", "sendto", "writev", "sendmsg") and self.file(thread, arguments) is None:
                    self.safe.update(SAFE.findall(texts(arguments)))
                continue
            if result < 0:
                continue
            self.take(thread, name, arguments, result, rest)
            if self.seen() != seen:  # else no other state is possible than before
                seen = self.seen()
                self.judge(f"{name}({arguments[:80]})")
            if len(self.problems) > 3:
                break
        return self

    def place(self, thread, descriptor):
        return (0 if self.one_process else thread), int(descriptor)

    def file(self, thread, arguments):
        return self.disk.files.get(self.place(thread, re.match(r"\d+", arguments)[0]))

    def take(self, thread, name, arguments, result, rest):
        if name == "openat":
            self.open(self.place(thread, result), arguments, rest)
        elif name in ("write", "writev", "pwrite64") and (file := self.file(thread, arguments)):
            file.written += 1
            file.text = (file.text + texts(arguments))[:4000]  # its header
            if file.message() and (subject := SUBJECT.search(file.text)):
                self.mailboxes[file.message()] = subject[1].split()
        elif name == "mkdirat":
            at = re.match(AT + r', "([^"]*)"', arguments)
            self.disk.change(joined(at[2], at[3]), None, is_folder=True)
        elif name == "linkat":
            self.link(thread, arguments)
        elif name in ("renameat", "renameat2", "rename"):
            self.rename(arguments)
        elif name in ("unlinkat", "unlink"):
            at = re.match(rf'(?:{AT}, )?"([^"]*)"', arguments)
            self.disk.change(joined(at[2], at[3]), None)
        elif name == "fsync":
            at = re.match(r"(\d+)<([^>]*)>", arguments)
            self.sync(self.place(thread, at[1]), at[2], self.began[thread, name])
        elif name == "io_submit":
            asked = re.findall(r"aio_lio_opcode=IOCB_CMD_FSYNC.*?aio_fildes=(\d+)(?:<([^>]*)>)?", arguments)
            self.submitted[thread] = [(self.place(thread, number), path, self.began[thread, name]) for number, path in asked]
        elif name == "io_getevents":
            for number, path, began in self.submitted.pop(thread, []):
                self.sync(number, path, began)

    def open(self, place, arguments, rest):
        self.disk.files.pop(place, None)
        if "O_DIRECTORY" in arguments and "O_TMPFILE" not in arguments:
            return
        path = re.match(r"<([^>]*)>", rest)
        if "O_TMPFILE" in arguments:
            self.disk.files[place] = File()
        elif "O_CREAT" in arguments and path and path[1].startswith(self.disk.root):
            self.disk.files[place] = File()
            self.disk.change(path[1], self.disk.files[place])

    def link(self, thread, arguments):
        whole = re.match(rf'{AT}(?:\(deleted\))?, "([^"]*)", {AT}, "([^"]*)"', arguments)
        old, new = joined(whole[2], whole[3]), joined(whole[5], whole[6])
        if through := re.match(r"/proc/self/fd/(\d+)$", whole[3]):
            file = self.disk.files[self.place(thread, through[1])]
        elif whole[3] == "":
            file = self.disk.files[self.place(thread, whole[1])]
        else:
            file = self.disk.names[old]
        self.disk.change(new, file)

    def rename(self, arguments):
        whole = re.match(rf'(?:{AT}, )?"([^"]*)", (?:{AT}, )?"([^"]*)"', arguments)
        old, new = joined(whole[2], whole[3]), joined(whole[5], whole[6])
        file = self.disk.names[old]
        self.disk.change(new, file)
        self.disk.change(old, None)

    def sync(self, descriptor, path, began):
        self.syncs += 1
        if self.syncs - 1 != self.without:
            self.disk.sync(descriptor, path, began)

    # ---- what a crash may leave now

    def judge(self, call):
        pending = [change for change in self.disk.changes if not change.is_synced]
        if len(pending) > MOST_PENDING:
            self.problems.append(f"{len(pending)} names are unsure at {call}: too many to try")
            return
        first = next((i for i, change in enumerate(self.disk.changes) if not change.is_synced), len(self.disk.changes))
        last = max((i for i, change in enumerate(self.disk.changes) if change.is_synced), default=-1)
        for kept in itertools.product((False, True), repeat=len(pending)):
            self.judge_state("POSIX", dict(zip(map(id, pending), kept, strict=True)), call)
        for end in range(max(first, last + 1), len(self.disk.changes) + 1):
            kept = {id(change): i < end for i, change in enumerate(self.disk.changes)}
            self.judge_state("ext4", kept, call)

    def judge_state(self, rule, kept, call):
        self.states[rule] += 1
        folders, shown = {self.disk.root}, {}
        for change in self.disk.changes:  # in their order: a folder comes before what is in it
            if not (change.is_synced or kept[id(change)]) or change.folder not in folders:
                continue
            if change.is_folder:
                folders.add(f"{change.folder}/{change.name}")
            elif change.file is None:
                shown.pop((change.folder, change.name), None)
            else:
                shown[change.folder, change.name] = change.file
        in_new = {place: file for place, file in shown.items() if place[0].endswith("/new")}
        for (folder, name), file in in_new.items():
            if not file.is_whole():
                self.problems.append(f"{rule}: a crash at {call} may leave a part of a message as {folder}/{name}")
        for message in self.safe:
            for mailbox in self.mailboxes.get(message, ["?"]):
                there = [1 for (folder, _), file in in_new.items()
                         if folder == f"{self.disk.root}/{mailbox}/new" and file.message() == message]
                if len(there) != 1:
                    self.problems.append(f"{rule}: a crash at {call} may leave message {'-'.join(message)} {len(there)} "
                                         f"times in {mailbox}, and it was acknowledged")


def walk(events, root, one_process, without=None):
    return Walk(root, one_process, without).run(events)


def idle_syncs(events, root, one_process):
    """The numbers of those syncs without which nothing would be wrong."""
    syncs = walk(events, root, one_process).syncs
    return [number for number in range(syncs) if not walk(events, root, one_process, number).problems]
