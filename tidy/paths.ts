// A kernel path is a generator: called without `yield*` it does nothing, silently (CONTRIBUTING.md). This
// check finds such calls. What counts as a path: `function*`, and whatever is declared to return `Path<...>`:
// functions, and members of the link table `k.fn`.
import { type Node, type Parsed, nameOf, part, place, walk } from './source.ts';

interface Names {
  /** Per file: functions that are paths. */
  readonly functions: ReadonlyMap<string, ReadonlySet<string>>;
  /** Members that are paths, such as those of the link table. */
  readonly members: ReadonlySet<string>;
}

/** Every call of a path whose result is dropped, or used as if it were the path's result. */
export function droppedPaths(files: readonly Parsed[]): readonly string[] {
  const names = pathNames(files);
  return files.flatMap((file) => {
    const local = localPaths(file, names);
    const found: string[] = [];
    walk(file.program, (node, above) => {
      if (node.type !== 'CallExpression' || !callsPath(node, local, names)) return;
      if (isDropped(node, above)) found.push(place(file, node));
    });
    return found;
  });
}

function pathNames(files: readonly Parsed[]): Names {
  const functions = new Map<string, Set<string>>();
  const members = new Set<string>();
  const plain = new Set<string>();
  for (const file of files) {
    const own = new Set<string>();
    functions.set(file.path, own);
    walk(file.program, (node, above) => {
      const named = declared(node, above[0]);
      if (named === undefined) return;
      const kind = named.member ? members : own;
      if (isPath(node)) kind.add(named.name);
      else if (named.member) plain.add(named.name);
    });
  }
  for (const name of plain) members.delete(name); // The same word for both: types have to tell.
  return { functions, members };
}

/** What a function, or a member that holds one, is called. */
function declared(
  node: Node,
  parent: Node | undefined,
): { readonly name: string; readonly member: boolean } | undefined {
  switch (node.type) {
    case 'FunctionDeclaration':
      return { name: nameOf(part(node, 'id')), member: false };
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      if (parent?.type === 'VariableDeclarator')
        return { name: nameOf(part(parent, 'id')), member: false };
      if (parent?.type === 'MethodDefinition' || parent?.type === 'Property')
        return { name: nameOf(part(parent, 'key')), member: true };
      return undefined;
    case 'TSMethodSignature':
      return { name: nameOf(part(node, 'key')), member: true };
    case 'TSFunctionType':
      return undefined;
    case 'TSPropertySignature': {
      const type = part(part(node, 'typeAnnotation'), 'typeAnnotation');
      if (type?.type !== 'TSFunctionType') return undefined;
      return { name: nameOf(part(node, 'key')), member: true };
    }
    default:
      return undefined;
  }
}

function isPath(node: Node): boolean {
  if (node['generator'] === true) return true;
  const holder =
    node.type === 'TSPropertySignature'
      ? part(part(node, 'typeAnnotation'), 'typeAnnotation')
      : node;
  const returned = part(part(holder, 'returnType'), 'typeAnnotation');
  return returned?.type === 'TSTypeReference' && nameOf(part(returned, 'typeName')) === 'Path';
}

/** Names under which this file knows paths: its own, and those that it imports. */
function localPaths(file: Parsed, names: Names): ReadonlySet<string> {
  const local = new Set(names.functions.get(file.path));
  walk(file.program, (node, above) => {
    if (node.type !== 'ImportSpecifier') return;
    const from = String(part(above[0], 'source')?.['value']);
    const target = new URL(from, `file:///${file.path}`).pathname.slice(1);
    const imported = nameOf(part(node, 'imported'));
    if (names.functions.get(target)?.has(imported) === true) local.add(nameOf(part(node, 'local')));
  });
  return local;
}

function callsPath(call: Node, local: ReadonlySet<string>, names: Names): boolean {
  const callee = part(call, 'callee');
  if (callee?.type === 'Identifier') return local.has(nameOf(callee));
  if (callee?.type !== 'MemberExpression') return false;
  return names.members.has(nameOf(part(callee, 'property'))) || isLinked(callee, names);
}

/** `k.fn.NAME` for a path of that name in any file: the link table holds them by their names. */
function isLinked(callee: Node, names: Names): boolean {
  const table = part(callee, 'object');
  if (table?.type !== 'MemberExpression' || nameOf(part(table, 'property')) !== 'fn') return false;
  const name = nameOf(part(callee, 'property'));
  return [...names.functions.values()].some((own) => own.has(name));
}

const TRANSPARENT = new Set(['ParenthesizedExpression', 'ChainExpression', 'TSAsExpression']);
const USES = new Set([
  'ExpressionStatement',
  'UnaryExpression',
  'BinaryExpression',
  'IfStatement',
  'WhileStatement',
  'TemplateLiteral',
  'AwaitExpression',
]);

function isDropped(call: Node, above: readonly Node[]): boolean {
  const at = above.findIndex((node) => !TRANSPARENT.has(node.type));
  const user = above[at];
  const value = at === 0 ? call : above[at - 1];
  if (user === undefined || USES.has(user.type)) return true;
  switch (user.type) {
    case 'YieldExpression':
      return user['delegate'] !== true;
    case 'LogicalExpression':
    case 'ConditionalExpression':
      if (part(user, 'left') === value || part(user, 'test') === value) return true;
      return isDropped(user, above.slice(at + 1));
    case 'SequenceExpression':
      return true;
    case 'ArrowFunctionExpression':
      return isForEach(above[at + 1]);
    default:
      return false;
  }
}

/** `list.forEach((one) => path(one))`: the value is handed to nobody. */
function isForEach(call: Node | undefined): boolean {
  return nameOf(part(part(call, 'callee'), 'property')) === 'forEach';
}
