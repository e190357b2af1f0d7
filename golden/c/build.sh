#!/bin/sh
# Rebuilds the programs and the modules. Equal sources and an equal compiler give equal bytes.
set -eu
cd "$(dirname "$0")"

# -fno-ipa-ra: no value of a caller may live in a register that a call may change, whatever the
# compiler knows about the function that is called: a hook is called before it (docs/c.md).
flags="-std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -O2
  -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -mno-relax -msmall-data-limit=0
  -ffreestanding -fno-tree-loop-distribute-patterns -fno-strict-aliasing -fno-common -fno-ident
  -fno-asynchronous-unwind-tables -falign-functions=4 -fpatchable-function-entry=2 -fno-ipa-ra
  -I ../../include"

# A program: linked to the place where it runs.
program() {
  out=$1
  shift
  riscv64-unknown-elf-gcc $flags "$@" -nostdlib -static -T ../../include/reprobe.ld \
    -Wl,--no-relax,--build-id=none,--strip-debug,-z,max-page-size=16 -o "$out"
}

# A module: an object file, relocated when it is loaded.
module() {
  out=$1
  shift
  riscv64-unknown-elf-gcc $flags "$@" -c -o "$out"
}

program fork.elf fork.c
program store.elf arena.c store.c
program caller_saved.elf caller_saved.c
program weak.elf weak.c weak_strong.c
module fprobe_check.ko fprobe_check.c
module fprobe_check_rethook.ko -DREPROBE_FPROBE_RETHOOK fprobe_check.c
module fprobe_sample.ko fprobe_sample.c
module fprobe_sample_rethook.ko -DREPROBE_FPROBE_RETHOOK fprobe_sample.c
module ftrace_sample.ko ftrace_sample.c
module headers_check.ko headers_check.c
module jprobe_example.ko -DREPROBE_V2_6_31 jprobe_example.c
module kprobe_example.ko kprobe_example.c
module kprobe_example_2_6_31.ko -DREPROBE_V2_6_31 kprobe_example.c
module kretprobe_example.ko kretprobe_example.c
module kprobes_check.ko kprobes_check.c
module kprobes_check_2_6_31.ko -DREPROBE_V2_6_31 kprobes_check.c
module kthread_stress.ko kthread_stress.c
module mine.ko mine.c

# The test beside this script notices when a file and its sources part.
sha256sum ./*.c ./*.h build.sh ./*.elf ./*.ko | sed 's|  \./|  |' > SHA256SUMS
