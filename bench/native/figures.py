"""The figures to reach, from the results of the parts."""

import statistics
from dataclasses import dataclass
from typing import Callable

from contenders import FOREACH, FUSED_OP, LOOP, OURS, TIMM, TRAFFIC
from parts import IN_CACHE, SMALL, alone, threaded


@dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    find: Callable  # of the results: a value, or one of each process
    at_least: float | None = None
    at_most: float | None = None

    def check(self, results):
        """The value beside its limit; without a value where its part has not run."""
        limit = {"at_least": self.at_least} if self.at_most is None else {"at_most": self.at_most}
        try:
            found = self.find(results)
        except LookupError:
            return {"name": self.name, "unit": self.unit, **limit}
        value = statistics.median(found) if isinstance(found, list) else found
        reached = value >= self.at_least if self.at_most is None else value <= self.at_most
        processes = {"processes": found} if isinstance(found, list) else {}
        return {"name": self.name, "unit": self.unit, "value": value, **processes, **limit, "reached": reached}


def near(shape, name):
    def find(results):
        processes = [tables for part, tables in results.items() if part.startswith("near-ties")]
        if not processes:
            raise LookupError
        return [tables[shape][name]["ratio"] for tables in processes]

    return find


def by_itself(name, allocator):
    return lambda results: results[alone(name, allocator)]["xresnet34"][name]["ratio"]


def grown(threads):
    return lambda results: results[threaded("growth", threads)]["500 M parameters"][OURS]["ratio_a_parameter"]


def only_table(tables):
    (table,) = tables.values()
    return table


def slope(threads):
    return lambda results: only_table(results[threaded("per tensor", threads)])[OURS]["seconds_a_tensor"] * 1e6


def difference(results):
    return only_table(results["oracle"])[TIMM]["difference"]


def page_faults(results):
    rows = [table.get(OURS, {}) for tables in results.values() for table in tables.values()]
    found = [row["page_faults"] for row in rows if "page_faults" in row]
    if not found:
        raise LookupError
    return max(found)


ORACLE = "timm's NAdamW"
BY_OURS = "times as long as ours"
FIGURES = [
    Figure(ORACLE, "the largest relative difference of a weight", difference, at_most=1e-5),
    Figure("the same traffic without arithmetic, xresnet34", BY_OURS, near("xresnet34", TRAFFIC), at_least=0.95),
    Figure("torch NAdam, for-loop, as users run it", BY_OURS, by_itself(LOOP, "default"), at_least=7),
    Figure("torch NAdam, foreach, as users run it", BY_OURS, by_itself(FOREACH, "default"), at_least=7),
    Figure("torch NAdam, for-loop, tuned allocator", BY_OURS, by_itself(LOOP, "keeps"), at_least=4.5),
    Figure("torch NAdam, foreach, tuned allocator", BY_OURS, by_itself(FOREACH, "keeps"), at_least=4.5),
    Figure("_fused_adamw_, xresnet34", BY_OURS, near("xresnet34", FUSED_OP), at_least=1.05),
    Figure("_fused_adamw_, in cache", BY_OURS, near(IN_CACHE, FUSED_OP), at_least=1.5),
    Figure("_fused_adamw_, 1,000 of 64", BY_OURS, near(SMALL, FUSED_OP), at_least=7),
    Figure("each further tensor, one thread", "us", slope(1), at_most=0.2),
    Figure("each further tensor, two threads", "us", slope(2), at_most=0.2),
    Figure("a parameter of 500 M, one thread", "times as long as one of 21 M", grown(1), at_most=1.1),
    Figure("a parameter of 500 M, two threads", "times as long as one of 21 M", grown(2), at_most=1.1),
    Figure("a step, in all parts", "page faults at most", page_faults, at_most=0),
]
