"""What replay.py prints."""

import collections
import itertools

from recording import MISSING

WIDTH = 400


def summary(program, deviations, verdict, is_whole, shown):
    """Prints everything and returns the exit code."""
    print(f"---- {program}")
    differences(verdict.unexplained, shown)
    stale = deviations.stale(verdict.used) if is_whole else []
    for entry in stale:
        print(f"stale: {entry.id} explains nothing: {entry.title}")
    explained(deviations, verdict.used)
    print(f"\n{verdict.dialogues} dialogues, {verdict.steps} steps")
    print(f"equal {verdict.equal}, explained {sum(verdict.used.values())}, unexplained {len(verdict.unexplained)}, "
          + (f"stale entries {len(stale)}" if is_whole else "stale entries not looked for in a part"))
    return 1 if verdict.unexplained or stale else 0


def pair_summary(pairs, comparison, whole_work, shown):
    print("---- one against the other")
    kinds = collections.Counter((place.session, place.sent, *texts) for place, *texts in comparison.unexplained)
    examples = {(place.session, place.sent, *texts): place for place, *texts in comparison.unexplained}
    for kind, count in kinds.most_common(shown):
        place = examples[kind]
        print(f"{count}x {place.session}, as in --show {place.configuration!r} {place.session}")
        print(f"  sent {shorten(place.sent)}")
        side_by_side(*kind[2:])
    stale = pairs.stale(comparison.used, whole_work) if whole_work else []
    for entry in stale:
        print(f"stale: explains nothing: {entry['why']}")
    print(f"{comparison.dialogues} dialogues, {comparison.steps} steps: equal {comparison.equal}, explained "
          f"{sum(comparison.used.values())}, unexplained {len(comparison.unexplained)}")
    return 1 if comparison.unexplained or stale else 0


def explained(deviations, used):
    counts = deviations.count_by_id(used)
    print("deviation  steps")
    for name, title in deviations.titles.items():
        print(f"{name:<9} {'unseen' if name in deviations.unseen else counts[name]:>6}  {title}")


def differences(unexplained, shown):
    """The first unexplained difference of each dialogue; later ones are mostly its consequences."""
    kinds = collections.Counter()
    example, seen = {}, set()
    for difference in unexplained:
        dialogue = (difference.place.configuration, difference.place.session)
        if dialogue in seen:
            continue
        seen.add(dialogue)
        kind = (difference.place.session, difference.place.sent, difference.want, difference.got, difference.note)
        kinds[kind] += 1
        example.setdefault(kind, difference)
    for kind, count in kinds.most_common(shown):
        difference = example[kind]
        print(f"{count}x {difference.place.session}, as in --show {difference.place.configuration!r} "
              f"{difference.place.session} {difference.note}")
        print(f"  sent {shorten(difference.place.sent)}")
        side_by_side(difference.want, difference.got)
    if len(kinds) > shown:
        print(f"... and {len(kinds) - shown} more kinds (--shown N)")


def side_by_side(want, got):
    lines("-", want)
    lines("+", got)


def lines(mark, text):
    """Equal neighbours are printed once."""
    for line, copies in itertools.groupby(text.splitlines(keepends=True) or [""]):
        count = len(list(copies))
        print(f"  {mark} {shorten(line)}" + (f" {count} times" if count > 1 else ""))


def shorten(text):
    shown = repr(text)
    return shown if len(shown) <= WIDTH else f"{shown[:WIDTH]}...({len(text)})"


def show(bench, place, transcript):
    """One dialogue: what was sent, what the original answered (-) and what we answer (+), or both alike (=)."""
    recorded = bench.recording.transcript(place.configuration, place.session)
    for at in range(max(len(recorded.steps), len(transcript.steps))):
        sent = (recorded.steps + transcript.steps[len(recorded.steps):])[at][0]
        was, ours = (side.steps[at][1] if at < len(side.steps) else MISSING for side in (recorded, transcript))
        print(f"sent {shorten(sent)}")
        pair(was, ours)
    print("stored")
    pair(*("\n".join(text for message in side.queued for text in message) for side in (recorded, transcript)))
    print("exit")
    pair(recorded.exit, transcript.exit)
    print(f"the original's log\n{recorded.log}\nour log\n{transcript.log}")
    verdict = bench.judge(place, transcript)
    for number in verdict.used:
        entry = bench.deviations.entries[number]
        print(f"explained by {entry.id}: {entry.why}")
    print(f"unexplained: {len(verdict.unexplained)}")


def pair(was, ours):
    if was == ours:
        lines("=", was)
    else:
        side_by_side(was, ours)
