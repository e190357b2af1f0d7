// `npm run parity`: compares this kernel with the recorded facts again and writes golden/PARITY.md.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defects } from './outcome.ts';
import { compareAll, parityPage } from './page.ts';

const folder = join(process.cwd(), 'golden');
const compared = compareAll(folder);
writeFileSync(join(folder, 'PARITY.md'), parityPage(compared));
for (const { file, outcomes } of compared)
  for (const defect of defects(outcomes)) {
    console.error(`${file}: ${defect}`);
    process.exitCode = 1;
  }
