import type { DeviceBuffer } from '../device.js';
import { blockPointer } from './allocator.js';
import { liveBuffer } from './buffer.js';
import { BYTE } from './cost.js';
import type { Engine } from './engine.js';

const TILE = 16; // rows: see assembly/code-tiles.ts

/**
 * Puts the codes of a 4-bit weight in tiles, `rows` of `rowBytes` bytes, and gives their address. They stay so, and nobody
 * notices: `pointer` turns them back for all others, which costs a small part of what it takes to decode them.
 */
export function tiledPointer(engine: Engine, packed: DeviceBuffer, rows: number, rowBytes: number): number {
  const buffer = liveBuffer(packed);
  const address = blockPointer(buffer.block);
  if (buffer.order?.rowBytes === rowBytes) return address;
  buffer.order?.restore();
  const turn = (back: boolean) => {
    const scratch = engine.exports.turnTilesScratch(rowBytes);
    engine.run('turnTiles', [address, rowBytes, back], rows / TILE, 4 * TILE * rowBytes * BYTE, scratch);
  };
  turn(false);
  buffer.order = {
    rowBytes,
    restore() {
      turn(true);
      buffer.order = null;
    },
  };
  return address;
}
