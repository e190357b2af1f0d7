// Layer replay. The nearest valid word, for messages. Shared by workload errors and the command line.

/** Words longer than this are compared by their beginning; nobody mistypes so much. */
const LENGTH_MAX = 64;

/**
 * Number of letters to change, insert, delete, or swap with their neighbour (optimal string alignment,
 * the usual form of the Damerau-Levenshtein distance).
 */
export function editDistance(from: string, to: string): number {
  const a = from.slice(0, LENGTH_MAX);
  const b = to.slice(0, LENGTH_MAX);
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, at(before, j - 2) + 1);
      next.push(best);
    }
    before = row;
    row = next;
  }
  return at(row, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? 0;
}

/** The candidate nearest to `word`, if at most a third of the letters differ; the first among equals. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(Math.min(word.length, LENGTH_MAX) / 3)) + 1;
  for (const candidate of candidates) {
    const distance = distanceOf(word, candidate);
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** Letters in the wrong case count as half a letter, however many they are. */
function distanceOf(word: string, candidate: string): number {
  const ignoringCase = editDistance(word.toLowerCase(), candidate.toLowerCase()) + 0.5;
  return Math.min(editDistance(word, candidate), ignoringCase);
}

/** `, did you mean 'filter'?`, or nothing when no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const found = nearest(word, candidates);
  return found === undefined ? '' : `, did you mean '${found}'?`;
}
