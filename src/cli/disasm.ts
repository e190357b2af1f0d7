// Layer cli. `reprobe disasm`: the machine code of an image, as GNU objdump prints it.
import { disassembly } from '../replay/disassembly.ts';
import type { Command, NoOptions } from './command.ts';
import { readInput } from './files.ts';
import { writeLines } from './lines.ts';
import { EXIT } from './shell.ts';

export const disasmCommand: Command<NoOptions> = {
  name: 'disasm',
  about: 'Print the instructions of an image',
  positional: { name: 'image', about: 'An ELF file' },
  second: { name: 'symbol', about: 'Only this function' },
  options: {},
  examples: [
    ['$0 disasm store.elf | less', 'as objdump -d prints it'],
    ['$0 disasm store.elf queue_pop', 'one function'],
  ],
  async run(args, shell) {
    const image = readInput(shell.cwd, args.file, 'the image');
    await writeLines(shell.out, disassembly(image, args.file, args.second));
    return EXIT.fine;
  },
};
