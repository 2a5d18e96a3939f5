"""Writes what `fastopt train --json` has printed as one JSON file, with the way to 90% of the validation images:

    python scripts/gpu/learned.py <its lines> <result>
"""

import json
import sys
from pathlib import Path

lines, result = map(Path, sys.argv[1:])
events = [json.loads(line) for line in lines.read_text().splitlines()]
epochs = [event for event in events if event["event"] == "epoch"]
reached = next((i + 1 for i, epoch in enumerate(epochs) if epoch["accuracy"] >= 0.9), None)
to_90 = reached and {"epochs": reached, "seconds": sum(epoch["seconds"] for epoch in epochs[:reached])}
best = max(epoch["accuracy"] for epoch in epochs)
print(f"{best:.2%} at best; 90% after {to_90['epochs']} epochs, {to_90['seconds']:.1f} s" if to_90 else f"{best:.2%} at best")
result.write_text(json.dumps({"to_90": to_90, "best": best, "events": events}, indent=2) + "\n")
