"""A machine as `ragel -x` writes it: its edges, which of them were taken, and a way to each of the others.

Machine(path)            of one XML file
untaken(steps)           edges that no step takes, a step being (state, octet); the last edge of a state is its misfits:
                         all octets that do not fit there, taken together
Machine.way_to(edge)     octets that lead from the start over that edge
numbers_by_step()        {(state, octet): the number of its edge}
An octet here is what the machine reads: the number of its class, in a machine over classes.
"""
import collections
import xml.etree.ElementTree


class Machine:
    def __init__(self, path, octets):
        root = xml.etree.ElementTree.parse(path).getroot().find(".//machine")
        self.octets = octets
        self.start = int(root.findtext("start_state"))
        actions = {a.get("id"): a for a in root.find("action_list")}
        tables = {t.get("id"): t.text.split() for t in root.findall("./action_table_list/action_table")}
        self.trans = {int(s.get("id")): [self._transition(t.text.split(), tables, actions) for t in s.find("trans_list")]
                      for s in root.find("state_list")}
        self.ways = self._ways()
        self.edges = [(state, frozenset(range(low, high + 1))) for state in self.ways
                      for low, high, _ in self.trans[state]]
        self.edges += [(state, misfits) for state in self.ways if self.trans[state] and (misfits := self._misfits(state))]

    @staticmethod
    def _transition(fields, tables, actions):
        """(low, high, what follows): ("to", state), ("call", entry, where it returns to), ("return",) or None."""
        low, high, target, table = fields
        for action in tables.get(table, []):
            if (call := actions[action].find("call")) is not None:
                return int(low), int(high), ("call", int(call.text), int(target))
            if actions[action].find("ret") is not None:
                return int(low), int(high), ("return",)
        return int(low), int(high), None if target == "x" else ("to", int(target))

    def _misfits(self, state):
        inside = {octet for low, high, _ in self.trans[state] for octet in range(low, high + 1)}
        return frozenset(octet for octet in self.octets if octet not in inside)

    def _ways(self):
        """The shortest way to each state that can be come to."""
        ways, seen, queue = {}, {(self.start, None)}, collections.deque([(self.start, None, ())])
        while queue:
            state, back, way = queue.popleft()
            ways.setdefault(state, way)
            for low, _, follows in self.trans[state]:
                if follows is None:
                    continue
                after = {"to": lambda: (follows[1], back), "call": lambda: (follows[1], follows[2]),
                         "return": lambda: (back, None)}[follows[0]]()
                if after not in seen:
                    seen.add(after)
                    queue.append((*after, (*way, low)))
        return ways

    def way_to(self, edge):
        state, octets = edge
        return [*self.ways[state], min(octets)]

    def untaken(self, steps):
        taken = collections.defaultdict(set)
        for state, octet in steps:
            taken[state].add(octet)
        return [(state, octets) for state, octets in self.edges if not octets & taken[state]]

    def numbers_by_step(self):
        return {(state, octet): number for number, (state, octets) in enumerate(self.edges) for octet in octets}
