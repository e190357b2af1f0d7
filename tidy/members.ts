// What users can say to the things that the public API gives them: the members of its classes and interfaces.
import { readFileSync } from 'node:fs';
import { nameOf, type Node, parse, part, parts, ROOT } from './source.ts';

/** Each word that a context, a builder or a reference understands, by the variable that examples have for it. */
const SPEAKERS = {
  cx: { path: 'src/replay/handler.ts', types: ['HandlerContext', 'TaskContext'] },
  w: { path: 'src/replay/workload/build.ts', types: ['WorkloadBuilder'] },
  f: { path: 'src/replay/workload/build-lines.ts', types: ['FunctionLines'] },
  c: { path: 'src/replay/workload/build-lines.ts', types: ['CallbackLines'] },
  gate: { path: 'src/replay/workload/build-reference.ts', types: ['DataReference'] },
  ops: { path: 'src/replay/workload/build-reference.ts', types: ['ProbeReference'] },
  fp: { path: 'src/replay/workload/build-reference.ts', types: ['FprobeReference'] },
} as const;

/** `cx.read`, `w.task`, `f.work`, ... */
export function memberNames(): readonly string[] {
  return Object.entries(SPEAKERS).flatMap(([variable, { path, types }]) => {
    const text = readFileSync(`${ROOT}${path}`, 'utf8');
    return types.flatMap((type) => membersOf(text, type).map((name) => `${variable}.${name}`));
  });
}

/** The members of an exported class or interface that are not private, each once. */
export function membersOf(text: string, type: string): readonly string[] {
  const { program } = parse({ path: 'members.ts', text });
  const declared = parts(program, 'body')
    .map((statement) => part(statement, 'declaration'))
    .find((declaration) => nameOf(part(declaration, 'id')) === type);
  const names = parts(part(declared, 'body'), 'body')
    .filter((member) => member['kind'] !== 'constructor')
    .map((member: Node) => part(member, 'key'))
    .filter((key) => key?.type === 'Identifier')
    .map(nameOf);
  return [...new Set(names)];
}
