import { ShapeError } from '@burin/tensor';
import type { Page, Piece } from './page.js';
import type { PagePool } from './page-pool.js';
import type { Entry, ParameterGroup } from './parameter-groups.js';

/** What one parameter has gathered. */
export interface ParameterState {
  /** Updates so far. */
  readonly step: number;
  /** `expAvg` and `expAvgSq`, or `momentumBuffer`: flattened, as long as the parameter. */
  readonly buffers: Readonly<Record<string, Float32Array>>;
}

/** Everything that the next steps depend on besides the parameters, as plain host data. Loading it is exact. */
export interface OptimizerState<H> {
  /** By parameter: its name, or its place in the order of all parameters. Parameters without an update are left out. */
  readonly state: Readonly<Record<string, ParameterState>>;
  readonly paramGroups: readonly (H & { readonly params: readonly string[]; readonly initialLr?: number })[];
}

/** Collects the states of all entries that have one. */
export async function readStates<H>(
  entries: readonly Entry<H>[],
  pages: readonly Page<Entry<H>>[],
  pool: PagePool,
  names: readonly string[],
): Promise<Record<string, ParameterState>> {
  const states = new Map<Entry<H>, ParameterState>();
  for (const entry of entries) {
    if (entry.step === 0) continue;
    const buffers = Object.fromEntries(names.map((name) => [name, new Float32Array(entry.parameter.size)]));
    states.set(entry, { step: entry.step, buffers });
  }
  for (const page of pages) {
    if (!page.pieces.some(({ entry }) => states.has(entry))) continue;
    const values = floats(await pool.read(page));
    for (const { run, buffer, piece } of runs(page, values, states, names)) buffer.set(run, piece.offset);
  }
  return Object.fromEntries([...states].map(([{ key }, state]) => [key, state]));
}

/** Fills new pages with loaded states. */
export function writeStates<H>(
  states: ReadonlyMap<Entry<H>, ParameterState>,
  pages: readonly Page<Entry<H>>[],
  pool: PagePool,
  names: readonly string[],
): void {
  for (const page of pages) {
    const values = new Float32Array(page.byteLength / 4);
    for (const { run, buffer, piece } of runs(page, values, states, names)) {
      run.set(buffer.subarray(piece.offset, piece.offset + piece.size));
    }
    pool.write(page, new Uint8Array(values.buffer));
  }
}

/** Each run of a state on a page, beside the buffer that holds that state of the whole parameter. */
function* runs<H>(
  page: Page<Entry<H>>,
  values: Float32Array,
  states: ReadonlyMap<Entry<H>, ParameterState>,
  names: readonly string[],
): Generator<{ run: Float32Array; buffer: Float32Array; piece: Piece<Entry<H>> }> {
  for (const piece of page.pieces) {
    const state = states.get(piece.entry);
    if (!state) continue;
    for (const [k, start] of page.stateOffsets(piece, names.length).entries()) {
      yield { run: values.subarray(start, start + piece.size), buffer: state.buffers[names[k]!]!, piece };
    }
  }
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

/**
 * Pairs loaded states with parameters.
 *
 * @throws TypeError if it is no state
 * @throws RangeError if groups or parameters are not those of this optimizer, or a state is incomplete
 * @throws ShapeError if a state is not as long as its parameter
 */
export function matchStates<H>(
  who: string,
  loaded: OptimizerState<H>,
  entries: readonly Entry<H>[],
  groups: readonly ParameterGroup<H>[],
  names: readonly string[],
): Map<Entry<H>, ParameterState> {
  if (!Array.isArray(loaded?.paramGroups) || typeof loaded.state !== 'object') {
    const got = loaded instanceof Promise ? 'a promise: await it' : typeof loaded;
    throw new TypeError(`${who}: expected what stateDict() resolves to, { state, paramGroups }, got ${got}`);
  }
  const { state, paramGroups } = loaded;
  checkGroups(who, paramGroups, entries, groups);
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  const matched = new Map<Entry<H>, ParameterState>();
  for (const [key, found] of Object.entries(state)) {
    const entry = byKey.get(key);
    if (!entry) throw new RangeError(`${who}: the loaded state has parameter ${key}, which is in no group`);
    checkState(`${who}: the loaded state of parameter ${key}`, found, entry.parameter.size, names);
    matched.set(entry, found);
  }
  return matched;
}

function checkGroups<H>(
  who: string,
  loaded: OptimizerState<H>['paramGroups'],
  entries: readonly Entry<H>[],
  groups: readonly ParameterGroup<H>[],
): void {
  if (loaded.length !== groups.length) {
    throw new RangeError(
      `${who}: the loaded state must have the groups of this optimizer: expected ${groups.length}, got ${loaded.length}`,
    );
  }
  for (const [i, group] of groups.entries()) {
    const own = entries.filter((entry) => entry.group === group).map((entry) => entry.key);
    const { params } = loaded[i]!;
    if (own.length === params.length && own.every((key, k) => key === params[k])) continue;
    const different = own.findIndex((key, k) => key !== params[k]);
    const at = different < 0 ? own.length : different;
    throw new RangeError(
      `${who}: the loaded state must have the parameters of this optimizer, in its order: group ${i} has ${own.length}, ` +
        `got ${params.length}; the first that differs: expected ${own[at] ?? 'none'}, got ${params[at] ?? 'none'}`,
    );
  }
}

function checkState(who: string, { step, buffers = {} }: ParameterState, size: number, names: readonly string[]): void {
  if (!Number.isInteger(step) || step < 1) {
    throw new RangeError(`${who}: step must be a whole number of 1 or more, got ${step}`);
  }
  for (const name of names) {
    const buffer: unknown = buffers[name];
    if (!(buffer instanceof Float32Array)) {
      const got = Object.entries(buffers).map(([key, value]: [string, unknown]) =>
        value instanceof Float32Array ? key : `${key} as ${Array.isArray(value) ? 'array' : typeof value}`,
      );
      throw new RangeError(`${who}: expected ${names.join(', ')} as Float32Array, got ${got.join(', ') || 'nothing'}`);
    }
    if (buffer.length !== size)
      throw new ShapeError(`${who}: ${name}: expected ${size} elements, got ${buffer.length}`);
  }
}
