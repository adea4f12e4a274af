import { Linear, type Module } from '@burin/nn';

/** A plain name stands for every module whose dotted name is it or ends in it; a RegExp may match any part. */
export type LayerPattern = string | RegExp;

/** Which Linears of a model are quantized. */
export interface LayerChoice {
  /** Which Linears; default: all but those skipped. */
  targetModules?: LayerPattern | readonly LayerPattern[];
  /** Which not: a plain name may stand anywhere in the dotted name. Default: {@link DEFAULT_SKIP}. */
  skipModules?: LayerPattern | readonly LayerPattern[];
}

/** Output heads, whose errors nothing averages out, and what adapters train. Embeddings are no Linear. */
export const DEFAULT_SKIP: readonly string[] = [
  ...['lm_head', 'embed_out', 'score', 'classifier', 'classification_head', 'qa_outputs'],
  ...['lora_A', 'lora_B', 'modules_to_save'],
];

/**
 * The Linears of a model that the options choose, by dotted name, and those that they leave out. A weight that is shared
 * with another module (an embedding) is left out unless it is named. A Linear that stands in several places is chosen in all
 * of them, and in none if one is skipped.
 *
 * @throws RangeError if a name or pattern matches nothing, or nothing is chosen
 */
export function chooseLayers(model: Module, choice: LayerChoice): { chosen: Map<string, Linear>; skipped: string[] } {
  const all = [...model.namedModules()];
  const linears = new Map(
    all.filter((entry): entry is [string, Linear] => entry[0] !== '' && entry[1] instanceof Linear),
  );
  const targets = choice.targetModules === undefined ? null : listOf(choice.targetModules);
  const skips = choice.skipModules === undefined ? DEFAULT_SKIP : listOf(choice.skipModules);
  for (const pattern of targets ?? []) requireMatch('targetModules', pattern, linears, isEnd);
  if (choice.skipModules !== undefined) {
    for (const pattern of skips) requireMatch('skipModules', pattern, new Map(all), isPart);
  }
  const skipping = choice.skipModules !== undefined || targets === null;
  const left = namedBy(linears, (name) => skipping && skips.some((pattern) => isPart(pattern, name)));
  const named = targets && namedBy(linears, (name) => targets.some((pattern) => isEnd(pattern, name)));
  const isChosen = (linear: Linear) => !left.has(linear) && (named ? named.has(linear) : !isShared(all, linear));
  const chosen = new Map([...linears].filter(([, linear]) => isChosen(linear)));
  if (chosen.size === 0) {
    throw new RangeError(
      `quantizeModel: no Linear is left to quantize: this model's are ${shown([...linears.keys()])}`,
    );
  }
  return { chosen, skipped: [...linears.keys()].filter((name) => !chosen.has(name)) };
}

function listOf(value: LayerPattern | readonly LayerPattern[]): readonly LayerPattern[] {
  return typeof value === 'string' || value instanceof RegExp ? [value] : value;
}

function isEnd(pattern: LayerPattern, name: string): boolean {
  return typeof pattern === 'string' ? `.${name}`.endsWith(`.${pattern}`) : name.search(pattern) >= 0;
}

function isPart(pattern: LayerPattern, name: string): boolean {
  return typeof pattern === 'string' ? `.${name}.`.includes(`.${pattern}.`) : name.search(pattern) >= 0;
}

/** The Linears that have a name of such a kind in one of their places. */
function namedBy(linears: ReadonlyMap<string, Linear>, isMeant: (name: string) => boolean): Set<Linear> {
  return new Set([...linears].filter(([name]) => isMeant(name)).map(([, linear]) => linear));
}

/** Whether a module besides this one holds the weight. */
function isShared(modules: readonly [string, Module][], linear: Linear): boolean {
  return modules.some(([, module]) => module !== linear && Object.values(module).includes(linear.weight));
}

function requireMatch(
  option: string,
  pattern: LayerPattern,
  modules: ReadonlyMap<string, Module>,
  matches: (pattern: LayerPattern, name: string) => boolean,
): void {
  const names = [...modules.keys()];
  if (names.some((name) => matches(pattern, name))) return;
  const label = typeof pattern === 'string' ? `'${pattern}'` : String(pattern);
  throw new RangeError(
    `quantizeModel: ${option} ${label} matches nothing of this model: there is ${shown(lastParts(names))}`,
  );
}

function lastParts(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.slice(name.lastIndexOf('.') + 1)))].filter((name) => name !== '');
}

function shown(names: readonly string[]): string {
  return names.slice(0, 12).join(', ') + (names.length > 12 ? `, ... (${names.length} in all)` : '') || 'none';
}
