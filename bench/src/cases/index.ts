import type { Case } from '../case.js';
import { attentionCases } from './attention.js';
import { decodeCases } from './decode.js';
import { elementwiseCases, lossCase } from './elementwise.js';
import { nf4Cases } from './nf4.js';
import { optimizerCases } from './optimizer.js';
import { overheadCases } from './overhead.js';
import { productCases } from './products.js';
import { trainStepCases } from './train-step.js';

/** Everything that is measured, in the order of the report. */
export const cases: readonly Case[] = [
  ...productCases,
  ...elementwiseCases,
  lossCase,
  ...attentionCases,
  ...nf4Cases,
  ...optimizerCases,
  ...overheadCases,
  ...trainStepCases,
  ...decodeCases,
];
