"""The fused step beside PyTorch's and timm's optimizers.

Each part runs in a process of its own: what an optimizer with temporaries costs depends on what the process did to its
heap before. Parts that the output has already are left out: a run that was stopped goes on where it was.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from figures import FIGURES, ORACLE
from measure import cpu_name, keep_big_blocks
from parts import Bench, parts


def header():
    versions = {"torch": torch.__version__, **{name: importlib.metadata.version(name) for name in ("numpy", "timm")}}
    date = datetime.date.today().isoformat()
    return {"date": date, "cpu": cpu_name(), "python": platform.python_version(), **versions}


def read(path):
    return json.loads(path.read_text()) if path.exists() else {}


def run_part(name, options):
    """Runs a part in this process, shows it, and adds it to the output."""
    if name.endswith("keeps"):
        keep_big_blocks()
    bench = Bench(options.library, options.rounds, options.quick)
    load, start = os.getloadavg()[0], time.perf_counter()
    with torch.no_grad():
        tables = parts(options.quick, options.compile)[name](bench)
    taken = round(time.perf_counter() - start, 1)
    show(f"{name} ({taken} s, load {load:.2f})", tables)
    report = read(options.output) or header()
    report.setdefault("parts", {})[name] = {"rounds": bench.rounds, "taken": taken, "load": load, "tables": tables}
    options.output.write_text(json.dumps(report, indent=2) + "\n")


COLUMNS = {
    "seconds": lambda value: f"{value * 1e6:16,.1f} us",
    "ratio": lambda value: f"{value:10.3f} x",
    "page_faults": lambda value: f"{value:12,.1f} page faults",
    "ratio_a_parameter": lambda value: f"{value:10.3f} a parameter",
    "seconds_a_tensor": lambda value: f"{value * 1e6:10.3f} us a tensor",
    "difference": lambda value: f"{value:12.2e} apart",
}


def show(title, tables):
    print(f"\n{title}")
    for name, table in tables.items():
        print(f"  {name}")
        for contender, row in table.items():
            print(f"    {contender:34}" + "".join(COLUMNS[key](value) for key, value in row.items()))


def show_figures(report, quick):
    print("\nfigures to reach" + (", of small shapes: they mean nothing" if quick else ""))
    for figure in report["figures"]:
        limit = f"at least {figure['at_least']}" if "at_least" in figure else f"at most {figure['at_most']}"
        value, verdict = figure.get("value"), "reached" if figure.get("reached") else "missed"
        found = "not measured" if value is None else f"{value:.3g} {figure['unit']}, {verdict}"
        print(f"  {figure['name']}: {found} ({limit})")
        if "processes" in figure:
            print("    of " + ", ".join(f"{ratio:.3f}" for ratio in figure["processes"]))


def run_parts(names, options):
    """Runs those parts whose results are not there yet, and returns the figures."""
    there = [] if options.again else read(options.output).get("parts", {})
    for name in names:
        if name in there:
            print(f"\n{name}: {options.output} has it")
    wanted = [name for name in names if name not in there]
    # To see that all parts work, one process will do.
    batches = [wanted] if options.quick else [[name] for name in wanted]
    for inside in filter(None, batches):
        command = [sys.executable, __file__, *sys.argv[1:], "--output", options.output]
        command += [word for name in inside for word in ("--inside", name)]
        if status := subprocess.run(command).returncode:
            sys.exit(status)
    report = read(options.output)
    results = {name: part["tables"] for name, part in report["parts"].items()}
    report["figures"] = [figure.check(results) for figure in FIGURES]
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    show_figures(report, options.quick)
    return report["figures"]


def parse():
    parser = argparse.ArgumentParser(prog="npm run bench -- optim", description=__doc__.splitlines()[0])
    parser.add_argument("--library", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--inside", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="list the parts")
    parser.add_argument("--part", action="append", help="this part; may come several times")
    parser.add_argument("--again", action="store_true", help="also the parts that the output has")
    parser.add_argument("--compile", action="store_true", help="also torch.compile of NAdam, which takes minutes to compile")
    parser.add_argument("--quick", action="store_true", help="small shapes and two rounds, to see that all parts work")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, help="the JSON file to which the results are added")
    return parser, parser.parse_args()


def main():
    parser, options = parse()
    if options.inside:
        for name in options.inside:
            run_part(name, options)
        return
    names = list(parts(options.quick, options.compile))
    if options.list:
        print("\n".join(names))
        return
    if unknown := set(options.part or []) - set(names):
        parser.error(f"--part: expected names that --list prints, got {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as folder:
        options.output = options.output or Path(folder) / "optim.json"
        figures = run_parts(options.part or names, options)
    # Times of small shapes mean nothing, but all are to be there.
    if options.quick and not options.part:
        if missing := [figure["name"] for figure in figures if "value" not in figure]:
            sys.exit(f"--quick: not measured: {', '.join(missing)}")
    if not next(figure for figure in figures if figure["name"] == ORACLE).get("reached", True):
        sys.exit(f"{ORACLE}: our weights differ from its")


if __name__ == "__main__":
    main()
