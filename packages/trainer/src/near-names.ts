/** Edits (insert, delete, replace a letter) that turn `a` into `b`; letters of either case are the same. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = row[j]! + (letter.toLowerCase() === b[j]!.toLowerCase() ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The known name that was probably meant, or null where none is near. Snake case is read as camel case. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(camel, candidate) }));
  ranked.sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(2, camel.length / 3) ? best.candidate : null;
}
