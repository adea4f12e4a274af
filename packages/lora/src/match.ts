import type { LoraConfig, ModulePattern } from './options.js';

/** Signs that stand in a regular expression and never in the name of a module. A dot stands in both. */
const EXPRESSION = /[\\^$*+?()[\]{}|]/;

/** Whether a string is a name rather than a regular expression. */
export function isPlainName(pattern: ModulePattern): pattern is string {
  return typeof pattern === 'string' && !EXPRESSION.test(pattern);
}

/** Whether a pattern means the module of a dotted name. See {@link ModulePattern}. */
export function matchesName(pattern: ModulePattern, name: string): boolean {
  if (pattern instanceof RegExp) return name.search(pattern) >= 0; // unlike test(), keeps no place with the flag g
  if (isPlainName(pattern)) return name === pattern || name.endsWith(`.${pattern}`);
  return new RegExp(`^(?:${pattern})$`).test(name);
}

/** Whether `layersToTransform` lets the module of a dotted name through, as in PEFT: one that is named in full, always. */
export function isLayerChosen({ layersToTransform, layersPattern, targetModules }: LoraConfig, name: string): boolean {
  if (layersToTransform === null || layersToTransform.length === 0) return true;
  if (targetModules !== 'all-linear' && targetModules.includes(name)) return true;
  const before = layersPattern.length === 0 ? ['[^.]*'] : layersPattern;
  for (const pattern of before) {
    const number = new RegExp(`^(?:.*\\.)?${pattern}\\.(\\d+)\\.`).exec(name)?.[1];
    if (number !== undefined) return layersToTransform.includes(Number(number));
  }
  return false;
}

/**
 * Up to `count` names that a mistaken one may have meant, nearest first: the last parts of the dotted names, as many as
 * the mistaken one has.
 */
export function nearNames(wanted: string, names: Iterable<string>, count = 5): string[] {
  const parts = wanted.split('.').length;
  const ends = new Set<string>();
  for (const name of names) ends.add(name.split('.').slice(-parts).join('.'));
  return [...ends]
    .map((name) => ({ name, distance: editDistance(wanted, name) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ name }) => name);
}

/** Fewest insertions, deletions and replacements that make b of a (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
