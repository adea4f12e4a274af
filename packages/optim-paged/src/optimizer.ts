import { LifetimeError } from '@burin/tensor';
import { FilePages } from './files.js';
import { MemoryPages } from './host-pages.js';
import { layOut, type Page } from './page.js';
import { PagePool } from './page-pool.js';
import { type PagingOptions, resolvePaging } from './paging-options.js';
import type { PagingStatistics } from './paging-statistics.js';
import {
  checkGradient,
  checkTrainable,
  type Entry,
  type OptimizerParameters,
  type ParameterGroup,
  type ParameterGroupOptions,
  ParameterGroups,
} from './parameter-groups.js';
import { matchStates, type OptimizerState, readStates, writeStates } from './state-dict.js';
import type { UpdateRule } from './update-rule.js';

/**
 * What AdamW, Adam and SGD share: parameter groups, a step that walks the pages of state, and the state as host data.
 *
 * State is made when a parameter has its first gradient, as in PyTorch: a frozen parameter costs nothing.
 */
export abstract class Optimizer<H extends { lr: number }> {
  readonly #rule: UpdateRule<H>;
  readonly #parameters: ParameterGroups<H>;
  readonly #pool: PagePool;
  readonly #pageBytes: number;
  readonly #pages: Page<Entry<H>>[] = [];
  #backwards = false;
  #running = false;
  #disposed = false;

  constructor(rule: UpdateRule<H>, params: OptimizerParameters<H>, options: Partial<H> & PagingOptions) {
    // PyTorch takes lr there
    if (typeof options !== 'object') {
      throw new TypeError(`${rule.name}: expected options such as { lr: 1e-3 }, got ${String(options)}`);
    }
    const { pageBytes, deviceBytes, file, ...hyperparameters } = options;
    const paging = resolvePaging(rule.name, rule.states.length, options);
    this.#rule = rule;
    this.#parameters = new ParameterGroups(rule, params, hyperparameters as unknown as Partial<H>);
    this.#pageBytes = paging.pageBytes;
    const host = file === undefined ? new MemoryPages() : new FilePages(rule.name, file, paging.pageBytes);
    this.#pool = new PagePool(rule.name, this.#parameters.device, host, paging.deviceBytes);
  }

  /** The groups in force. Hyperparameters may be changed between steps, as schedulers do with `lr`. */
  get paramGroups(): readonly ParameterGroup<H>[] {
    return this.#parameters.groups;
  }

  /** What paging has done so far, and where the pages are. */
  get paging(): PagingStatistics {
    return {
      ...this.#pool.counts,
      pages: this.#pages.length,
      stateBytes: this.#pages.reduce((sum, page) => sum + page.byteLength, 0),
      pagesOnDevice: this.#pool.pagesOnDevice,
      deviceBytes: this.#pool.deviceBytes,
      hostBytes: this.#pool.hostBytes,
    };
  }

  /**
   * Adds a group of parameters, for example layers that are thawed in the middle of a run.
   *
   * @throws RangeError, DtypeError, DeviceError as the constructor; then nothing is added
   */
  addParamGroup(group: ParameterGroupOptions<H>): void {
    this.#check('addParamGroup');
    this.#parameters.add(group);
  }

  /** Frees the gradients of all parameters. */
  zeroGrad(): void {
    for (const { parameter } of this.#parameters.entries) parameter.zeroGrad();
  }

  /**
   * Updates every parameter that has a gradient; the others and their states stay as they are.
   *
   * On the CPU all is done when this returns; await it nevertheless: on other devices it may have to wait for a page.
   *
   * @throws MemoryError if not one page fits the device's budget; then nothing has changed
   * @throws RangeError if a hyperparameter of a group was changed to one out of range; then nothing has changed
   * @throws DtypeError if a parameter that has a gradient, or the gradient, is not float32
   * @throws LifetimeError if a parameter or the optimizer was disposed, or a step is still running
   */
  async step(): Promise<void> {
    this.#check('step');
    this.#running = true;
    try {
      const active = this.#parameters.entries.filter(({ parameter }) => parameter.grad !== null);
      for (const group of new Set(active.map((entry) => entry.group))) this.#rule.check(group); // may have been changed
      for (const { key, parameter } of active) {
        parameter.alive(`${this.#rule.name}.step: parameter ${key}`);
        checkTrainable(this.#rule.name, key, parameter);
        checkGradient(this.#rule.name, key, parameter);
      }
      const stateful = new Set(active.filter(({ group }) => this.#rule.usesState(group)));
      this.#place([...stateful].filter(({ placed }) => !placed));
      const pages = this.#pages.filter(({ pieces }) => pieces.some(({ entry }) => stateful.has(entry)));
      const reserving = this.#pool.reserve(pages.reduce((most, page) => Math.max(most, page.byteLength), 0));
      if (reserving) await reserving;
      for (const entry of stateful) entry.step++;
      for (const entry of active) if (!stateful.has(entry)) this.#updateWhole(entry);
      await this.#walk(pages, stateful);
      await this.#prepareToLeave();
    } finally {
      this.#running = false;
    }
  }

  /**
   * Under a budget the next forward pass may want the room of the pages. A device that cannot be read in the middle of an
   * allocation has them copied to the host now, so that they can leave then.
   */
  async #prepareToLeave(): Promise<void> {
    const device = this.#parameters.entries[0]?.parameter.device;
    if (device && !device.readNow && Number.isFinite(device.memory.budget)) await this.#pool.flush();
  }

  /**
   * Copies pages that changed to the host; they stay on the device too. When the device asks for room they leave at once,
   * without a copy, also on a device that cannot be read in the middle of an allocation.
   */
  async flush(): Promise<void> {
    this.#check('flush');
    this.#running = true;
    try {
      await this.#pool.flush();
    } finally {
      this.#running = false;
    }
  }

  /** A copy of the whole state, as plain host data. */
  async stateDict(): Promise<OptimizerState<H>> {
    this.#check('stateDict');
    this.#running = true;
    try {
      const { entries, groups } = this.#parameters;
      const state = await readStates(entries, this.#pages, this.#pool, this.#rule.states);
      const keysOf = (group: ParameterGroup<H>) =>
        entries.filter((entry) => entry.group === group).map(({ key }) => key);
      return { state, paramGroups: groups.map((group) => ({ ...group, params: keysOf(group) })) };
    } finally {
      this.#running = false;
    }
  }

  /**
   * Takes over a state: of an optimizer of the same kind over the same parameters in the same groups, whatever its paging.
   * What follows is bit for bit what would have followed there.
   *
   * @throws RangeError if groups or parameters differ, ShapeError if a state is not as long as its parameter, TypeError if
   *   it is no state; then nothing has changed
   */
  loadStateDict(loaded: OptimizerState<H>): void {
    this.#check('loadStateDict');
    const { name, states } = this.#rule;
    const { entries, groups } = this.#parameters;
    const matched = matchStates(name, loaded, entries, groups, states);
    for (const group of loaded.paramGroups) this.#rule.check(group);
    this.#pool.clear(this.#pages);
    this.#pages.length = 0;
    for (const entry of entries) {
      entry.placed = false;
      entry.step = matched.get(entry)?.step ?? 0;
    }
    for (const [i, { params, ...group }] of loaded.paramGroups.entries()) Object.assign(groups[i]!, group);
    this.#place([...matched.keys()]);
    writeStates(matched, this.#pages, this.#pool, states);
  }

  /** Frees the state, on the device and on the host, and removes the file. The parameters stay. */
  dispose(): void {
    if (this.#disposed) return;
    this.#check('dispose');
    this.#disposed = true;
    this.#pool.dispose();
  }

  /**
   * Each step walks the other way from the last: the pages that the last one left on the device are the first that this
   * one needs. In one direction only, each page would be thrown out just before its turn.
   */
  async #walk(pages: readonly Page<Entry<H>>[], active: ReadonlySet<Entry<H>>): Promise<void> {
    const turns = this.#backwards ? [...pages].reverse() : pages;
    this.#backwards = !this.#backwards;
    for (const [i, page] of turns.entries()) {
      let changed = false;
      try {
        const coming = this.#pool.take(page);
        if (coming) await coming;
        const next = turns[i + 1];
        if (next) this.#pool.prefetch(next);
        changed = true;
        this.#updatePage(page, active);
      } finally {
        this.#pool.giveBack(page, changed);
      }
    }
  }

  #updatePage(page: Page<Entry<H>>, active: ReadonlySet<Entry<H>>): void {
    const state = page.tensor!.storage.buffer;
    for (const piece of page.pieces) {
      if (!active.has(piece.entry)) continue;
      const stateOffsets = page.stateOffsets(piece, this.#rule.states.length);
      this.#update(piece.entry, { offset: piece.offset, size: piece.size, state, stateOffsets });
    }
  }

  #updateWhole(entry: Entry<H>): void {
    this.#update(entry, { offset: 0, size: entry.parameter.size, state: null, stateOffsets: [] });
  }

  #update(
    { key, parameter, group, step }: Entry<H>,
    run: Pick<Parameters<UpdateRule<H>['update']>[1], 'offset' | 'size' | 'state' | 'stateOffsets'>,
  ): void {
    parameter.touch(`${this.#rule.name}.step: parameter ${key}`);
    const buffers = { parameter: parameter.storage.buffer, gradient: parameter.grad!.storage.buffer };
    this.#rule.update(parameter.device.kernels, { ...buffers, ...run, step }, group);
  }

  #place(entries: readonly Entry<H>[]): void {
    const states = this.#rule.states.length;
    const capacity = this.#pageBytes / 4 / states;
    for (const page of layOut(entries, { firstIndex: this.#pages.length, capacity, states })) this.#pages.push(page);
    for (const entry of entries) entry.placed = true;
  }

  #check(what: string): void {
    const who = `${this.#rule.name}.${what}`;
    if (this.#disposed) throw new LifetimeError(`${who}: the optimizer was disposed; make a new one`);
    if (this.#running) throw new LifetimeError(`${who}: a step is still running; await step() first`);
  }
}
