/**
 * Checks ids on the host, before they go to a device, which could not say that one is wrong.
 *
 * @param count - V, how many ids there are
 * @param who - put before the message
 * @throws RangeError that names the first id outside 0 .. count − 1 and its place
 */
export function checkIds(ids: ArrayLike<number>, count: number, who: string): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (!isIndex(id, count)) {
      throw new RangeError(`${who}: ids must be whole numbers from 0 to ${count - 1}, got ${id} at ${i}`);
    }
  }
}

/**
 * Checks labels on the host, before they go to a device.
 *
 * @param who - put before the message
 * @throws RangeError that names the first label that is neither 0 .. classes − 1 nor `ignoreIndex`, and its place
 */
export function checkLabels(labels: ArrayLike<number>, classes: number, who: string, ignoreIndex = -100): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label !== ignoreIndex && !isIndex(label, classes)) {
      throw new RangeError(
        `${who}: labels must be whole numbers from 0 to ${classes - 1}, or ${ignoreIndex}, got ${label} at ${i}`,
      );
    }
  }
}

function isIndex(value: number, count: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < count;
}
