#!/usr/bin/env bash
# Runs the C++ tests of the optimizer's kernels on a 64-bit ARM, which QEMU emulates. The kernels need neither libtorch nor
# Node, so that a compiler is all there is to install: on Debian, g++-aarch64-linux-gnu and qemu-user-static.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$root/build/arm
tests=(program fused fused_edges fused_halves fused_programs fused_scalars fused_state)
compiler=(aarch64-linux-gnu-g++ -std=c++20 -fno-math-errno -pthread "-I$root/native" "-I$work/generated")

# What CMake generates for the addon.
mkdir -p "$work/generated"
for file in $(python3 -c "import json; print(*json.load(open('$root/native/build.json'))['device_sources'])"); do
  printf 'R"fastopt(%s)fastopt"\n' "$(cat "$root/$file")"
done >"$work/generated/device_text.inc"

for file in "$root"/native/optim/fused/{,cuda/}*.cpp; do
  echo "-O3 -c $file -o $work/$(basename "$(dirname "$file")")_$(basename "$file" .cpp).o"
done | xargs -P "$(nproc)" -L 1 "${compiler[@]}"

for test in "${tests[@]}"; do
  # The linker warns of dlopen, which no test calls.
  "${compiler[@]}" -O1 -static "$root/native/test/test_$test.cpp" "$work"/*.o -o "$work/test_$test" -ldl 2>/dev/null
  qemu-aarch64-static "$work/test_$test"
  echo "test_$test passes"
done
