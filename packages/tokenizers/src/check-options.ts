/** Refuses options that do not exist, such as Hugging Face's snake_case names, rather than pass them over. */
export function checkOptions(who: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RangeError(`${who}: there is no option ${unknown}; expected ${known.join(', ')}`);
}
