import type { Case } from '../case.js';
import type { Outcome } from '../outcome.js';
import { attention } from './attention.js';
import { ffn } from './ffn.js';
import { generation } from './generation.js';
import { lora } from './lora.js';
import { losses } from './losses.js';
import { metrics } from './metrics.js';
import { models } from './models.js';
import { nf4 } from './nf4.js';
import { norm } from './norm.js';
import { optim } from './optim.js';
import { peft } from './peft.js';
import { rope } from './rope.js';
import { training } from './training.js';

/** What computes the cases of each group, by the manifest's `group`. */
export const groups: Readonly<Record<string, (c: Case) => Promise<Outcome>>> = {
  attention,
  ffn,
  generation,
  lora,
  losses,
  metrics,
  models,
  nf4,
  norm,
  optim,
  peft,
  rope,
  training,
};
