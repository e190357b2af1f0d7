#!/bin/sh
# Rebuilds all.elf from all.s, and the listings that GNU objdump makes of it and of the C image.
set -eu
cd "$(dirname "$0")"
riscv64-unknown-elf-as -march=rv64imac_zicsr_zifencei -mabi=lp64 -o all.o all.s
riscv64-unknown-elf-ld --no-relax --build-id=none --strip-debug -z max-page-size=16 -e base \
  -Ttext=0x10000 --section-start=.second=0x11000 --section-start=.unnamed=0x12000 -Tdata=0x13000 \
  -o all.elf all.o
rm all.o
riscv64-unknown-elf-objdump -d all.elf > all.lst
cd ../c
riscv64-unknown-elf-objdump -d store.elf > store.lst
