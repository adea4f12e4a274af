import { Linear, Module } from '@burin/nn';
import { cat, Generator, scope, type Tensor } from '@burin/tensor';

class Attention extends Module {
  qProj: Linear;
  kProj: Linear;
  vProj: Linear;
  oProj: Linear;

  constructor(width: number, rng: Generator, bias: boolean) {
    super();
    this.qProj = new Linear(width, width, { bias, rng });
    this.kProj = new Linear(width, width / 2, { bias, rng });
    this.vProj = new Linear(width, width / 2, { bias, rng });
    this.oProj = new Linear(width, width, { bias, rng });
  }

  forward(x: Tensor): Tensor {
    const keys = cat([this.kProj.forward(x), this.vProj.forward(x)], -1);
    return this.oProj.forward(this.qProj.forward(x).tanh().mul(keys));
  }
}

class Layer extends Module {
  selfAttn: Attention;

  constructor(width: number, rng: Generator, bias: boolean) {
    super();
    this.selfAttn = new Attention(width, rng, bias);
  }
}

class Body extends Module {
  layers: Layer[];

  constructor(layers: Layer[]) {
    super();
    this.layers = layers;
  }
}

/** No language model, but with the names of one; of the widths that the fixtures in peft/ have. */
export class TinyModel extends Module {
  model: Body;
  lmHead: Linear;

  constructor({ width = 48, out = 7, layers = 2, bias = false, seed = 1 } = {}) {
    super();
    const rng = new Generator(seed);
    this.model = new Body(Array.from({ length: layers }, () => new Layer(width, rng, bias)));
    this.lmHead = new Linear(width, out, { bias, rng });
  }

  /** `[rows, width] -> [rows, out]` */
  forward(input: Tensor): Tensor {
    return scope(() => {
      let x = input;
      for (const { selfAttn } of this.model.layers) x = x.add(selfAttn.forward(x));
      return this.lmHead.forward(x);
    });
  }
}

/** The same with a head called `score`. */
export class TinyClassifier extends Module {
  model: Body;
  score: Linear;

  constructor({ width = 8, seed = 1 } = {}) {
    super();
    const rng = new Generator(seed);
    this.model = new Body([new Layer(width, rng, true)]);
    this.score = new Linear(width, 2, { bias: false, rng });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.score.forward(this.model.layers[0]!.selfAttn.forward(x)));
  }
}
