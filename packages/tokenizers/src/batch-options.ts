import { checkOptions } from './check-options.js';
import type { Side, Truncation } from './truncation.js';

/** How a batch of texts becomes rows. The values are those of Hugging Face's tokenizers. */
export interface BatchOptions {
  /** Put the tokens around each text that the model was trained with. Default true. */
  addSpecialTokens?: boolean;
  /** Fill rows up: to the longest of the batch (`true`, `'longest'`), or to `maxLength`. Default: not at all. */
  padding?: boolean | 'longest' | 'max_length';
  /** Round the padded length up to a multiple of this. */
  padToMultipleOf?: number;
  /** Where padding goes. Default: tokenizer_config.json's `padding_side`, else right. A decoder generates from left padding. */
  paddingSide?: Side;
  /** Fills rows up where the tokenizer names no padding token. */
  padTokenId?: number;
  /** Cut rows to `maxLength`: `true` is `'longest_first'`. Default: not at all. */
  truncation?: boolean | Truncation;
  /** Which end is cut. Default: tokenizer_config.json's `truncation_side`, else right. */
  truncationSide?: Side;
  /** Tokens in a row, special tokens included. Default: tokenizer_config.json's `model_max_length`. */
  maxLength?: number;
  /** Keep what truncation cuts off as further rows of the same text (`sample` tells which). */
  returnOverflowingTokens?: boolean;
  /** Tokens that a further row shares with the one before it. Default 0. */
  stride?: number;
  /** Find where each token lies in its text. Encoding then takes about three times as long. Default false. */
  offsets?: boolean;
}

const OPTIONS: readonly (keyof BatchOptions)[] = [
  'addSpecialTokens',
  'padding',
  'padToMultipleOf',
  'paddingSide',
  'padTokenId',
  'truncation',
  'truncationSide',
  'maxLength',
  'returnOverflowingTokens',
  'stride',
  'offsets',
];

/** What an option may be that is one of a few. */
const CHOICES: { readonly [name in keyof BatchOptions]?: readonly unknown[] } = {
  padding: [true, false, 'longest', 'max_length'],
  paddingSide: ['left', 'right'],
  truncation: [true, false, 'longest_first', 'only_first', 'only_second'],
  truncationSide: ['left', 'right'],
};

/** Options with their defaults filled in. */
export interface BatchPlan {
  readonly addSpecialTokens: boolean;
  readonly offsets: boolean;
  /** Null: rows are as long as they are. */
  readonly padding: null | { to: 'longest' | number; multiple: number; side: Side; id: number };
  /** Null: nothing is cut. */
  readonly truncation: null | { how: Truncation; side: Side; maxLength: number; stride: number; overflow: boolean };
}

/** What the tokenizer says about rows. */
export interface BatchDefaults {
  readonly padTokenId: number | null;
  readonly paddingSide: Side;
  readonly truncationSide: Side;
  readonly maxLength: number | null;
}

/**
 * Checks options and fills in the defaults.
 *
 * @throws RangeError if an option does not exist or cannot have its value, or padding or truncation lacks one that it needs
 */
export function planBatch(options: BatchOptions, defaults: BatchDefaults): BatchPlan {
  checkOptions('encodeBatch', options, OPTIONS);
  for (const [name, choices] of Object.entries(CHOICES)) {
    const value = options[name as keyof BatchOptions];
    if (value === undefined || choices.includes(value)) continue;
    throw new RangeError(`encodeBatch: ${name} must be one of ${choices.join(', ')}, got ${value}`);
  }
  return {
    addSpecialTokens: options.addSpecialTokens ?? true,
    offsets: options.offsets ?? false,
    padding: paddingPlan(options, defaults),
    truncation: truncationPlan(options, defaults),
  };
}

function paddingPlan(options: BatchOptions, defaults: BatchDefaults): BatchPlan['padding'] {
  const { padding = false, padToMultipleOf: multiple = 1, paddingSide: side = defaults.paddingSide } = options;
  if (!padding) return null;
  checkWhole('padToMultipleOf', multiple, 1);
  const id = options.padTokenId ?? defaults.padTokenId;
  if (id === null) {
    throw new RangeError(
      'encodeBatch: padding needs a token, and tokenizer_config.json names no pad_token: give padTokenId; ' +
        'attentionMask tells padding apart, so it may be the end token',
    );
  }
  return { to: padding === 'max_length' ? lengthFor('padding', options, defaults) : 'longest', multiple, side, id };
}

function truncationPlan(options: BatchOptions, defaults: BatchDefaults): BatchPlan['truncation'] {
  const { truncation = false, truncationSide: side = defaults.truncationSide, stride = 0 } = options;
  const overflow = options.returnOverflowingTokens ?? false;
  if (!truncation) {
    if (!overflow) return null;
    throw new RangeError('encodeBatch: returnOverflowingTokens is for what truncation cuts off: set truncation too');
  }
  checkWhole('stride', stride, 0);
  const how = truncation === true ? 'longest_first' : truncation;
  return { how, side, maxLength: lengthFor('truncation', options, defaults), stride, overflow };
}

function lengthFor(what: string, options: BatchOptions, defaults: BatchDefaults): number {
  const length = options.maxLength ?? defaults.maxLength;
  if (length === null) {
    throw new RangeError(`encodeBatch: ${what} needs maxLength, and tokenizer_config.json has no model_max_length`);
  }
  checkWhole('maxLength', length, 1);
  return length;
}

function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(`encodeBatch: ${name} must be a whole number of ${least} or more, got ${value}`);
  }
}
