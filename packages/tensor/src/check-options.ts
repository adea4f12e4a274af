/**
 * Refuses options that do not exist. What is passed over in silence, such as a name of another library, would leave something
 * that nobody asked for.
 *
 * @param who - put before the message
 * @param known - names of the options that there are; listed after `lead`
 * @throws RangeError that names the first unknown option; TypeError for what holds none, such as a number that another library
 *   takes in that place
 */
export function checkOptions(who: string, options: object, known: readonly string[], lead = 'expected'): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${who}: options have names: expected { ${known.join(', ')} }, got ${String(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RangeError(`${who}: there is no option ${unknown}; ${lead} ${known.join(', ')}`);
}

/** @throws RangeError that lists `choices`, of which there are two or more, unless `value` is one of them */
export function checkChoice(who: string, name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  const all = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
  throw new RangeError(`${who}: ${name} must be ${all}, got ${value}`);
}

/** @throws TypeError for what is no list, such as a module in the place of its parameters */
export function checkParameters(who: string, parameters: Iterable<unknown>): void {
  if (typeof parameters?.[Symbol.iterator] === 'function') return;
  throw new TypeError(`${who}: expected parameters, such as model.parameters(), got ${typeof parameters}`);
}
