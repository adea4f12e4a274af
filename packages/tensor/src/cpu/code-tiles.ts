import type { DeviceBuffer } from '../device.js';
import { address, liveBuffer } from './buffer.js';
import { BYTE } from './cost.js';
import type { Engine } from './engine.js';

const TILE = 16; // rows: see assembly/code-tiles.ts

/**
 * Puts the codes of a 4-bit weight, `rows` of `rowBytes` bytes, in tiles where they lie. They stay so, and nobody notices:
 * `pointer` turns them back for all others, which costs a small part of what it takes to decode them.
 */
export function putInTiles(engine: Engine, packed: DeviceBuffer, rows: number, rowBytes: number): void {
  const buffer = liveBuffer(packed);
  if (buffer.order?.rowBytes === rowBytes) return;
  buffer.order?.restore();
  const at = address(packed);
  const turn = (back: boolean) => {
    const scratch = engine.exports.turnTilesScratch(rowBytes);
    engine.run('turnTiles', [at, rowBytes, back], rows / TILE, 4 * TILE * rowBytes * BYTE, scratch);
  };
  turn(false);
  buffer.order = {
    rowBytes,
    restore() {
      turn(true);
      buffer.order = null;
    },
  };
}
