#!/bin/sh
# Rebuilds store.elf. Equal sources and an equal compiler give equal bytes.
set -eu
cd "$(dirname "$0")"
riscv64-unknown-elf-gcc -std=gnu11 -Wall -Wextra -Werror -O2 \
  -march=rv64imac -mabi=lp64 -mcmodel=medany -mno-relax -msmall-data-limit=0 \
  -ffreestanding -fno-tree-loop-distribute-patterns -fno-strict-aliasing -fno-common -fno-ident \
  -fno-asynchronous-unwind-tables -falign-functions=4 -fpatchable-function-entry=2 \
  -I ../../include -nostdlib -static -T ../../include/reprobe.ld \
  -Wl,--no-relax,--build-id=none,--strip-debug,-z,max-page-size=16 \
  -o store.elf arena.c store.c
# The test beside this script notices when the program and its sources part.
sha256sum arena.c arena.h build.sh store.c store.elf > SHA256SUMS
