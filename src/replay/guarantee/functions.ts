// Layer replay. The symbol table as a judge knows it: from `symbol` and `symbol_gone` events alone.

/** A function of the image, or of a module that is loaded. */
export interface TracedFunction {
  readonly name: string;
  readonly address: number;
  /** Its call site, which a callback gets as `ip`; -1: it can never be hooked (FT-4). */
  readonly site: number;
  /** Index of the event that told that it is there. */
  readonly since: number;
}

export interface FunctionTable {
  /** Those of a module that went, too, until others lie there. */
  readonly byAddress: Map<number, TracedFunction>;
  readonly bySite: Map<number, TracedFunction>;
  /** Those that can be hooked, by rising site: the order of `available_filter_functions`. */
  readonly traceable: TracedFunction[];
}

/** Longest site of any machine option (AUIPC + JALR, FT-12). */
const SITE_BYTES_MAX = 8;

export function newFunctionTable(): FunctionTable {
  return { byAddress: new Map(), bySite: new Map(), traceable: [] };
}

export function addFunction(table: FunctionTable, added: TracedFunction): void {
  table.byAddress.set(added.address, added);
  if (added.site === -1) return;
  table.bySite.set(added.site, added);
  const { traceable } = table;
  traceable.splice(placeOf(traceable, added.site), 0, added);
}

/**
 * The module of the function at `address` goes: no filter finds it any more. Filters may still hold its site (FT-49), and
 * whoever found the function before may still run it, until its text is freed.
 */
export function removeFunction({ byAddress, traceable }: FunctionTable, address: number): void {
  const gone = byAddress.get(address);
  const place = gone === undefined ? -1 : traceable.indexOf(gone);
  if (place >= 0) traceable.splice(place, 1);
}

/** How many of the sorted `functions` have a lower site. */
function placeOf(functions: readonly TracedFunction[], site: number): number {
  let [low, high] = [0, functions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((functions[middle]?.site ?? site) < site) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The site that a filter by address means (FT-49): the function's start or any byte of the site.
 * What a kernel refuses beyond that is seen in its result, so a little too much is no harm here.
 */
export function siteNamedBy(table: FunctionTable, ip: number): number | undefined {
  return table.traceable.find(({ address, site }) => ip >= address && ip < site + SITE_BYTES_MAX)
    ?.site;
}

/** The function's name, or its site where no symbol is known. */
export function nameOfSite(table: FunctionTable, site: number): string {
  return table.bySite.get(site)?.name ?? hexOfAddress(site);
}

/** An address as it stands in the guest: events carry the offset from the image's base, negative for user text. */
export function hexOfAddress(address: number): string {
  const low = ((address ^ -0x80000000) >>> 0).toString(16).padStart(8, '0');
  return address >= 0 ? `0xffffffff${low}` : `0x${low}`;
}
