// One word, three places (CONTRIBUTING.md): a guarantee is a judge in src/replay/guarantee/, a property in
// properties/, and a prefix in golden/. Whoever deletes one of the three, or adds two of them, fails here.

/** Names of files, and of the guarantees that the registry lists. */
export interface Places {
  readonly registered: readonly string[];
  readonly judges: readonly string[];
  readonly properties: readonly string[];
  readonly goldens: readonly string[];
}

/** What is missing or left over, in sentences. */
export function missingPlaces(places: Places): readonly string[] {
  return [
    ...places.registered.flatMap((name) => missingOf(name, places)),
    ...unpaired(places.goldens),
  ];
}

function missingOf(name: string, { judges, properties, goldens }: Places): readonly string[] {
  const missing: string[] = [];
  if (!judges.includes(`${name}.ts`)) missing.push(`src/replay/guarantee/${name}.ts is missing`);
  if (!properties.includes(`${name}.test.ts`))
    missing.push(`properties/${name}.test.ts is missing`);
  if (!goldens.some((golden) => golden.startsWith(`${name}-`) && golden.endsWith('.yaml')))
    missing.push(`golden/${name}-*.yaml is missing`);
  return missing;
}

/** A golden is a workload, its recording, and the recording's text form. */
function unpaired(goldens: readonly string[]): readonly string[] {
  const present = new Set(goldens);
  const endings = ['.yaml', '.trace', '.txt'];
  const stems = goldens
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => name.replace(/\.[a-z]+$/u, ''));
  return [...new Set(stems)].flatMap((stem) =>
    endings
      .filter((ending) => !present.has(stem + ending))
      .map((ending) => `golden/${stem}${ending} is missing`),
  );
}
