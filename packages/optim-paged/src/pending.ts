/** Something under way on a device that the host cannot see into; undefined where it was done at once. */
export type Pending = Promise<void> | undefined;

/**
 * Runs `next` when `pending` is done: at once, if it is. So the same code is synchronous where the device is, and no other
 * code runs in between.
 */
export function after(pending: Pending | null, next: () => Pending): Pending {
  if (pending) return pending.then(next);
  return next();
}
