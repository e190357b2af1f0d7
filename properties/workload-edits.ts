// Random workloads that have every key: EVERYTHING, with keys left out, elements left out, and other values where the
// schema allows any. An edit after which the parts do not agree with each other is not made. Such a workload says what
// can be written down; it is not for running.
import fc from 'fast-check';
import { InputError } from '../src/assert.ts';
import { fromYaml } from '../src/replay/api/yaml.ts';
import { check } from '../src/replay/workload/check.ts';
import type { Workload } from '../src/replay/workload/model.ts';
import { readWorkload } from '../src/replay/workload/parse.ts';
import { describing, EVERYTHING, resolved, SCHEMA, type SchemaNode } from './everything.ts';

/** A place in EVERYTHING. `undefined` takes away what is there. */
interface Edit {
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

interface Site extends Pick<Edit, 'path'> {
  /** The same for all elements of a list, and all names of a map. */
  readonly key: string;
  readonly node: SchemaNode;
  readonly isOptional: boolean;
}

const MODEL = fromYaml(EVERYTHING);
const EDITS_MAX = 24;

/** Every place below `value`, which `node` describes. */
function sitesIn(value: unknown, { path, key, node }: Omit<Site, 'isOptional'>): readonly Site[] {
  if (typeof value !== 'object' || value === null) return [];
  const { properties, required = [], items, additionalProperties } = describing(node, value);
  const other = typeof additionalProperties === 'object' ? additionalProperties : (items ?? {});
  return Object.entries(value).flatMap(([name, one]: [string, unknown]) => {
    const own = properties?.[name];
    const site: Site = {
      path: path.concat(Array.isArray(value) ? Number(name) : name),
      key: `${key}.${own === undefined ? '*' : name}`,
      node: own ?? other,
      isOptional: !required.includes(name),
    };
    return [site].concat(sitesIn(one, site));
  });
}

/** What could stand there instead. */
function valuesOf(site: Site): fc.Arbitrary<unknown> {
  const node = resolved(site.node);
  const { type, minimum = 0, maximum = minimum } = node;
  const gone = site.isOptional ? [fc.constant(undefined)] : [];
  const words = node.enum ?? [];
  const other =
    type === 'boolean'
      ? [fc.boolean()]
      : type === 'integer'
        ? [fc.integer({ min: minimum, max: maximum })]
        : words.length > 0
          ? [fc.constantFrom(...words)]
          : [];
  return fc.oneof(...gone, ...other);
}

const SITES = sitesIn(MODEL, { path: [], key: '', node: SCHEMA }).filter(
  (site) => site.isOptional || ['boolean', 'integer'].includes(resolved(site.node).type ?? ''),
);

/** Keys: some stand in one place, some in twenty. */
const KEYS = [...new Set(SITES.map(({ key }) => key))];

const rawEdit: fc.Arbitrary<Edit> = fc
  .constantFrom(...KEYS)
  .chain((key) => fc.constantFrom(...SITES.filter((site) => site.key === key)))
  .chain((site) => valuesOf(site).map((value) => ({ path: site.path, value })));

/** Workloads of this kind. */
export const editedWorkloads: fc.Arbitrary<Workload> = fc
  .array(rawEdit, { maxLength: EDITS_MAX, size: 'max' })
  .map((edits) => {
    let model = MODEL;
    // From behind: an element that goes moves those behind it.
    for (const edit of edits.toSorted((a, b) => orderOf(b) - orderOf(a))) {
      model = accepted(edited(model, edit.path, edit.value)) ?? model;
    }
    return model;
  });

function orderOf({ path }: Edit): number {
  const text = JSON.stringify(path);
  return SITES.findIndex((site) => JSON.stringify(site.path) === text);
}

/** `value`, with another one at `path`; as it is when there is nothing. */
function edited(value: unknown, path: Edit['path'], wanted: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return wanted;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return value;
  const entries = Object.entries(value).flatMap(([name, one]: [string, unknown]) => {
    if (name !== String(key)) return [[name, one] as const];
    const changed = edited(one, rest, wanted);
    return changed === undefined || isEmpty(changed) ? [] : [[name, changed] as const];
  });
  return Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

/** The builder writes no section in which nothing is. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** The workload, if it is one. */
function accepted(value: unknown): Workload | undefined {
  try {
    const { workload, positions } = readWorkload(value, 'edited');
    check(workload, positions);
    return workload;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
