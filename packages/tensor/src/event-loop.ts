/** Milliseconds without a turn of the event loop after which reading gives it one: a frame of a page. A turn costs 0.05. */
const LONGEST = 16;

let lastTurn = Number.NEGATIVE_INFINITY;

/** Whether the event loop had no turn from here for a while. */
export function isTurnDue(): boolean {
  return performance.now() - lastTurn >= LONGEST;
}

/**
 * Lets what waits in the event loop run: a page paints and takes clicks, timers and abort signals fire, worker threads
 * start. To await a promise that is fulfilled already, as one of a result on the CPU is, never returns to the event loop.
 *
 * By a message, not by a timer: timers of a page that is hidden fire once a second.
 */
export async function giveTurn(): Promise<void> {
  lastTurn = performance.now(); // reads that begin meanwhile need none of their own
  const { port1, port2 } = new MessageChannel();
  await new Promise<void>((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
  port1.close(); // an open one would keep a process of Node alive
  lastTurn = performance.now();
}
