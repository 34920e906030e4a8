#!/usr/bin/env bash
# Builds every target of fuzz/targets as OSS-Fuzz and ClusterFuzzLite ask for it: CC, CXX, CFLAGS, CXXFLAGS and
# LIB_FUZZING_ENGINE come from them; programs, dictionaries, options and corpora go to OUT.
set -euo pipefail
source=${SRC:?}/postern
build=${WORK:?}/postern
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DPOSTERN_TESTS=OFF -DPOSTERN_FUZZ=ON \
  -DPOSTERN_FUZZ_ENGINE="${LIB_FUZZING_ENGINE:?}" -DCMAKE_C_COMPILER="${CC:?}" -DCMAKE_CXX_COMPILER="${CXX:?}" \
  -DCMAKE_C_FLAGS="${CFLAGS:-}" -DCMAKE_CXX_FLAGS="${CXXFLAGS:-}"
cmake --build "$build" --target seeds
grep '^[a-z]' "$source/fuzz/targets" | while read -r target longest dictionary _; do
  cmake --build "$build" --target "fuzz_$target" </dev/null
  cp "$build/bin/fuzz_$target" "${OUT:?}/$target"
  for dict in "$source/fuzz/$dictionary.dict" "$build/generated/fuzz/$dictionary.dict"; do
    [ ! -e "$dict" ] || cp "$dict" "$OUT/$target.dict"
  done
  printf '[libfuzzer]\nmax_len = %s\ntimeout = 10\n' "$longest" >"$OUT/$target.options"
  { find "$source/fuzz/corpus/$target" "$source/fuzz/found/$target" "$build/seeds/$target" -type f 2>/dev/null || true; } |
    zip -q -j "$OUT/${target}_seed_corpus.zip" -@
done
# What the targets read when they run.
mkdir -p "$OUT/spec"
cp "$source"/spec/*.toml "$OUT/spec"
