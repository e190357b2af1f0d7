// Layer replay. A workload as YAML text that a person would write: the sections as blocks, what lies in them on
// one line where it fits.
import { Document, isMap, isScalar, isSeq, type Node, visit } from 'yaml';
import type { Workload } from './model.ts';

const COLUMNS = 100;

/**
 * A workload as YAML text, which reads back to an equal one.
 *
 * @example
 * import { fromYaml, toYaml, workload } from 'reprobe';
 * const built = workload('small', { cpus: 2, seed: 7 }).build();
 * console.log(toYaml(built).trim().split('\n').join(' | ')); // → name: small | machine: { cpus: 2, seed: 7 }
 * console.log(fromYaml(toYaml(built)).machine.seed); // → 7
 */
export function toYaml(workload: Workload): string {
  const document = new Document(workload, { aliasDuplicateObjects: false });
  visit(document, {
    Collection(_key, node, path) {
      const depth = path.filter((parent) => isMap(parent) || isSeq(parent)).length;
      if (depth >= 1 && isShort(node, depth)) node.flow = true;
    },
  });
  return document.toString({ lineWidth: COLUMNS, flowCollectionPadding: true });
}

/** Does the node fit into one line? Sections (depth 1) stay blocks unless all in them are plain values. */
function isShort(node: Node, depth: number): boolean {
  if (depth === 1 && (isMap(node) || isSeq(node)) && hasCollections(node)) return false;
  return JSON.stringify(node).length < COLUMNS - 16;
}

function hasCollections(node: { readonly items: readonly unknown[] }): boolean {
  return node.items.some((item) => {
    const value =
      typeof item === 'object' && item !== null && 'value' in item && !isScalar(item)
        ? item.value
        : item;
    return isMap(value) || isSeq(value);
  });
}
