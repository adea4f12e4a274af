import type { PlacedToken, TextTokens } from './encoding.js';
import { TokenizerError } from './errors.js';
import { isObject, type Json, objectsIn } from './json.js';

/** A place in a row: a special token, or all tokens of the text (0) or of its pair (1). */
type Slot = { readonly id: number; readonly typeId: number } | { readonly sequence: 0 | 1; readonly typeId: number };

/** What the post-processor of a tokenizer.json puts around a text, and around a pair of texts. */
export interface Frame {
  readonly single: readonly Slot[];
  readonly pair: readonly Slot[];
  /** Offsets of byte-level tokens leave the spaces around a word out. */
  readonly trimOffsets: boolean;
}

const FIRST: Slot = { sequence: 0, typeId: 0 };
const SECOND: Slot = { sequence: 1, typeId: 1 };
const BARE: Frame = { single: [FIRST], pair: [FIRST, SECOND], trimOffsets: false };

/**
 * Reads the `post_processor` of a tokenizer.json.
 *
 * @param idOf - the id of a special token
 * @throws TokenizerError if it is of a kind that is not known
 */
export function frameOf(processor: unknown, idOf: (token: string) => number | undefined): Frame {
  if (!isObject(processor)) return BARE;
  switch (processor.type) {
    case 'ByteLevel':
      return { ...BARE, trimOffsets: processor.trim_offsets !== false };
    case 'TemplateProcessing':
      return { ...templateFrame(processor, idOf), trimOffsets: false };
    case 'BertProcessing':
      return { ...bertFrame(idOfPair(processor.cls), idOfPair(processor.sep)), trimOffsets: false };
    case 'RobertaProcessing':
      return {
        ...robertaFrame(idOfPair(processor.cls), idOfPair(processor.sep)),
        trimOffsets: processor.trim_offsets !== false,
      };
    case 'Sequence':
      return sequenceFrame(objectsIn(processor.processors).map((each) => frameOf(each, idOf)));
    default:
      throw new TokenizerError(`tokenizer.json: post_processor: expected a kind that is known, got ${processor.type}`);
  }
}

function sequenceFrame(frames: readonly Frame[]): Frame {
  const withSpecials = frames.filter(({ pair }) => pair.length > 2 || pair[0] !== FIRST);
  if (withSpecials.length > 1) {
    throw new TokenizerError(
      'tokenizer.json: post_processor: expected one that adds tokens in a Sequence, got several',
    );
  }
  return { ...(withSpecials[0] ?? BARE), trimOffsets: frames.some(({ trimOffsets }) => trimOffsets) };
}

function templateFrame(processor: Json, idOf: (token: string) => number | undefined) {
  const specials = isObject(processor.special_tokens) ? processor.special_tokens : {};
  const idsOf = (name: string): readonly number[] => {
    const special = specials[name];
    const ids = isObject(special) && Array.isArray(special.ids) ? (special.ids as number[]) : [idOf(name) ?? -1];
    if (ids.every((id) => id >= 0)) return ids;
    throw new TokenizerError(`tokenizer.json: post_processor: the special token ${name} has no id`);
  };
  const slots = (items: unknown): Slot[] =>
    objectsIn(items).flatMap(({ SpecialToken: special, Sequence: sequence }): Slot[] => {
      if (isObject(special)) return idsOf(String(special.id)).map((id) => ({ id, typeId: Number(special.type_id) }));
      if (!isObject(sequence)) return [];
      return [{ sequence: sequence.id === 'B' ? 1 : 0, typeId: Number(sequence.type_id) }];
    });
  return { single: slots(processor.single), pair: slots(processor.pair) };
}

function bertFrame(cls: number, sep: number) {
  const before: Slot[] = [{ id: cls, typeId: 0 }, FIRST, { id: sep, typeId: 0 }];
  return { single: before, pair: [...before, SECOND, { id: sep, typeId: 1 }] };
}

function robertaFrame(cls: number, sep: number) {
  const end: Slot = { id: sep, typeId: 0 };
  const before: Slot[] = [{ id: cls, typeId: 0 }, FIRST, end];
  return { single: before, pair: [...before, end, { sequence: 1, typeId: 0 } as const, end] }; // RoBERTa has one segment
}

/** `["[SEP]", 102]` */
function idOfPair(pair: unknown): number {
  if (Array.isArray(pair) && typeof pair[1] === 'number') return pair[1];
  throw new TokenizerError(
    `tokenizer.json: post_processor: expected a token and its id, such as ["[SEP]", 102], got ${JSON.stringify(pair)}`,
  );
}

/** The slots of one text or of a pair; without special tokens only the texts' own. */
export function slotsOf(frame: Frame, isPair: boolean, addSpecialTokens: boolean): readonly Slot[] {
  const slots = isPair ? frame.pair : frame.single;
  return addSpecialTokens ? slots : slots.filter((slot) => 'sequence' in slot);
}

/** How many tokens are put around the texts. */
export function specialCount(slots: readonly Slot[]): number {
  return slots.filter((slot) => 'id' in slot).length;
}

/** Puts tokens into their slots. */
export function fillSlots(slots: readonly Slot[], texts: readonly TextTokens[]): PlacedToken[] {
  return slots.flatMap((slot): PlacedToken[] => {
    if ('id' in slot) return [{ id: slot.id, typeId: slot.typeId, sequence: null, offset: null }];
    const { ids, offsets } = texts[slot.sequence] ?? { ids: [], offsets: null };
    const { typeId, sequence } = slot;
    return ids.map((id, i) => ({ id, typeId, sequence, offset: offsets?.[i] ?? null }));
  });
}
