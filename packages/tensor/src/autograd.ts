import { DtypeError, LifetimeError, ShapeError } from './errors.js';
import { keep, scope } from './scope.js';
import { sameShape } from './shape.js';
import { Tensor } from './tensor.js';

/** What an operation's backward pass is given besides the gradient of its output. */
export interface BackwardContext {
  /** The tensors that the operation saved, in the order it named them. */
  readonly saved: readonly Tensor[];
  /** Whether a gradient of input `i` is wanted. */
  needs(i: number): boolean;
  /**
   * The gradient that input `i` already has and that may be added to in place, or null: also where an earlier input is the
   * same tensor. An operation that can accumulate adds to it and returns it; one that cannot ignores it and returns a new
   * tensor.
   */
  into(i: number): Tensor | null;
}

/** Gradients of the inputs, in their order, float32; null for one that is not wanted or 0. May return `g` itself. */
export type Backward = (g: Tensor, context: BackwardContext) => readonly (Tensor | null)[];

/** One recorded operation: the tape is the graph of these. */
export class Node {
  static count = 0;
  readonly id = Node.count++; // later operations have larger ids: their order is a topological one
  references = 1; // the output tensor, and each later node that reads it
  released = false;
  readonly name: string;
  readonly inputs: readonly Tensor[]; // may be disposed by now: only shape, node and grad are read
  readonly needs: readonly boolean[]; // a gradient of each input: what is saved goes by it, so it is that of the forward pass
  readonly saved: readonly Tensor[];
  readonly versions: readonly number[]; // of the saved tensors' memory
  readonly backward: Backward;

  constructor(name: string, inputs: readonly Tensor[], saved: readonly Tensor[], backward: Backward) {
    this.name = name;
    this.inputs = inputs;
    this.needs = inputs.map((input) => input.requiresGrad);
    this.saved = saved;
    this.backward = backward;
    this.versions = saved.map((tensor) => tensor.storage.version);
  }
}

let enabled = true;

/** Whether operations are recorded. */
export function isGradEnabled(): boolean {
  return enabled;
}

/** Runs `body` without recording: its results need no gradient. What an async body does after its first await is recorded. */
export function noGrad<T>(body: () => T): T {
  return withGrad(false, body);
}

/** Runs `body` with recording on, also inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  return withGrad(true, body);
}

function withGrad<T>(mode: boolean, body: () => T): T {
  const before = enabled;
  enabled = mode;
  try {
    return body();
  } finally {
    enabled = before;
  }
}

/**
 * Makes `output` the recorded result of an operation on `inputs`. This is how every operation with a gradient is
 * defined, in this package and above it.
 *
 * @param name - the operation's name, for messages
 * @param output - how it was computed does not count; where it is an input or was recorded itself, another handle to its
 *   memory is returned
 * @param saved - what `backward` reads; kept alive until the backward pass has run or the graph is dropped
 * @returns `output`, which needs a gradient if one of the inputs does and recording is on
 */
export function record(
  name: string,
  inputs: readonly Tensor[],
  output: Tensor,
  saved: readonly Tensor[],
  backward: Backward,
): Tensor {
  if (!enabled || !inputs.some((input) => input.requiresGrad)) return output;
  const node = new Node(
    name,
    inputs,
    saved.map((tensor) => tensor.alias()),
    backward,
  );
  for (const input of inputs) if (input.node) input.node.references++;
  const result = output.requiresGrad || inputs.includes(output) ? output.detach() : output;
  result.node = node;
  result.requiresGrad = true;
  return result;
}

/** Drops one reference to a node; the last one frees what it saved, and lets go of its inputs in turn. */
export function releaseNode(node: Node): void {
  const pending = [node];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (--next.references > 0) continue;
    freeSaved(next);
    for (const input of next.inputs) if (input.node) pending.push(input.node);
  }
}

function freeSaved(node: Node): void {
  if (node.released) return;
  node.released = true;
  for (const tensor of node.saved) tensor.dispose();
}

/**
 * Adds the gradient of `output` with respect to every leaf that it depends on and that needs one to that leaf's
 * `grad`. Frees what the graph had saved as it goes.
 *
 * @param gradient - gradient of whatever `output` feeds, with its shape; 1 if left out, for which it must be one element
 * @param options.retainGraph - keep what was saved, so that the same graph can be run backward again
 * @throws ShapeError if `output` is not one element and no `gradient` is given, or shapes differ
 * @throws DtypeError if `gradient` is not float32, as all gradients are
 * @throws LifetimeError if `output` or the graph was freed, or a saved tensor was changed in place since
 */
export function backward(output: Tensor, gradient?: Tensor, options: { retainGraph?: boolean } = {}): void {
  output.alive('backward');
  if (!output.requiresGrad) {
    throw new LifetimeError(
      'backward: the output needs no gradient: nothing it was made from has requiresGrad, or it was made under noGrad',
    );
  }
  const seed = gradient ?? unitGradient(output);
  if (!sameShape(seed.shape, output.shape)) {
    throw new ShapeError(
      `backward: the gradient must have the output's shape: expected [${output.shape}], got [${seed.shape}]`,
    );
  }
  if (seed.dtype !== 'float32') {
    throw new DtypeError(`backward: the gradient must be float32, whatever the output is stored as; got ${seed.dtype}`);
  }
  const pass = new BackwardPass(options.retainGraph ?? false);
  try {
    noGrad(() => pass.run(output, seed));
  } finally {
    pass.dispose();
    if (!gradient) seed.dispose();
  }
}

function unitGradient(output: Tensor): Tensor {
  if (output.size !== 1) {
    throw new ShapeError(
      `backward: an output of one element is expected where no gradient is given, got [${output.shape}]; ` +
        'reduce it with sum() or mean(), or pass its gradient',
    );
  }
  return keep(Tensor.allocate(output.shape, 'float32', output.device).fill_(1));
}

/** One walk over the tape from its end to the leaves. */
class BackwardPass {
  private readonly gradients = new Map<Node, Tensor>();
  private readonly retainGraph: boolean;

  constructor(retainGraph: boolean) {
    this.retainGraph = retainGraph;
  }

  run(output: Tensor, seed: Tensor): void {
    this.add(output, seed.alias());
    if (!output.node) return;
    for (const node of this.order(output.node)) this.step(node);
  }

  /** Every node that the root depends on, latest first. */
  private order(root: Node): Node[] {
    const seen = new Set<Node>([root]);
    const pending = [root];
    for (let node = pending.pop(); node; node = pending.pop()) {
      for (const input of node.inputs) {
        if (input.node && !seen.has(input.node)) {
          seen.add(input.node);
          pending.push(input.node);
        }
      }
    }
    return [...seen].sort((a, b) => b.id - a.id);
  }

  private step(node: Node): void {
    const g = this.gradients.get(node);
    if (!g) return;
    this.check(node);
    this.gradients.delete(node);
    const context: BackwardContext = {
      saved: node.saved,
      needs: (i) => node.needs[i]! && node.inputs[i]!.requiresGrad,
      into: (i) => (node.inputs.indexOf(node.inputs[i]!) === i ? this.owned(node.inputs[i]!) : null),
    };
    const results = scope(() => {
      try {
        return node.backward(g, context).map((result, i, all) => unique(result, i, all, g));
      } finally {
        g.dispose(); // also where there was no room for the results
      }
    });
    let i = 0;
    try {
      for (; i < node.inputs.length; i++) if (context.needs(i)) this.give(node, i, results);
    } finally {
      // left over by an error, or wanted by nobody; what was added in place stays
      results.forEach((result, j) => {
        const isLeft = j >= i || !context.needs(j);
        if (isLeft && result !== this.gathered(node.inputs[j])) result?.dispose();
      });
    }
    if (!this.retainGraph) freeSaved(node);
  }

  private give(node: Node, i: number, results: readonly (Tensor | null)[]): void {
    const input = node.inputs[i]!;
    const gradient = results[i];
    if (gradient === null) return;
    if (gradient === undefined) {
      throw new TypeError(
        `${node.name}: its backward pass must return a gradient or null for each input: expected ${node.inputs.length}, got ${results.length}`,
      );
    }
    if (gradient.dtype !== 'float32') {
      throw new DtypeError(
        `${node.name}: the gradient of input ${i} must be float32, whatever the input is stored as; got ${gradient.dtype}`,
      );
    }
    if (!sameShape(gradient.shape, input.shape)) {
      throw new ShapeError(
        `${node.name}: the gradient of input ${i} must have its shape: expected [${input.shape}], got [${gradient.shape}]`,
      );
    }
    this.add(input, gradient);
  }

  private check(node: Node): void {
    if (node.released) {
      throw new LifetimeError(
        `backward: what ${node.name} saved was freed by an earlier backward pass; pass { retainGraph: true } to that one`,
      );
    }
    for (let i = 0; i < node.saved.length; i++) {
      if (node.saved[i]!.storage.version !== node.versions[i]) {
        throw new LifetimeError(
          `backward: tensor ${i} that ${node.name} saved was changed in place since; change it after the backward pass, or clone it first`,
        );
      }
    }
  }

  /** The gradient gathered so far for a tensor. */
  private gathered(input: Tensor | undefined): Tensor | null | undefined {
    return input?.node ? this.gradients.get(input.node) : input?.grad;
  }

  /** The same if nobody else looks at its memory. */
  private owned(input: Tensor): Tensor | null {
    const sum = this.gathered(input);
    return sum && sum.storage.references === 1 ? sum : null;
  }

  private add(input: Tensor, gradient: Tensor): void {
    const before = this.gathered(input);
    if (before === gradient) return; // added in place
    let sum = gradient;
    try {
      if (before) sum = this.owned(input) ? before.add_(gradient) : before.add(gradient);
      // a leaf's gradient may be changed in place: it shares memory with nobody
      else if (!input.node && gradient.storage.references > 1) sum = gradient.clone();
    } catch (error) {
      gradient.dispose();
      throw error;
    }
    if (sum !== gradient) gradient.dispose();
    if (before && sum !== before) before.dispose();
    keep(sum);
    if (input.node) this.gradients.set(input.node, sum);
    else input.grad = sum;
  }

  /** Frees the gradients that a failed walk left behind. */
  dispose(): void {
    for (const gradient of this.gradients.values()) gradient.dispose();
  }
}

/** A handle of its own for a gradient that is `g` itself or is returned for two inputs. */
function unique(result: Tensor | null, i: number, all: readonly (Tensor | null)[], g: Tensor): Tensor | null {
  return result && (result === g || all.indexOf(result) < i) ? result.alias() : result;
}
