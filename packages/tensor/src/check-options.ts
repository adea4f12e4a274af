/**
 * Refuses options that do not exist. What is passed over in silence, such as a name of another library, would leave something
 * that nobody asked for.
 *
 * @param who - put before the message
 * @param known - names of the options that there are; listed after `lead`
 * @throws RangeError that names the first unknown option
 */
export function checkOptions(who: string, options: object, known: readonly string[], lead = 'expected'): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RangeError(`${who}: there is no option ${unknown}; ${lead} ${known.join(', ')}`);
}
