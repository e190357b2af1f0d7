// Layer cli. Commands that a reader can paste into a shell.

const PLAIN = /^[\w@%+=:,./-]+$/u;

/** One word, quoted if a POSIX shell would take it for something else. */
export function quoteWord(word: string): string {
  if (PLAIN.test(word)) return word;
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** `self` is a command line already. */
export function commandLine(self: string, words: readonly string[]): string {
  return [self, ...words.map(quoteWord)].join(' ');
}
