import { ShapeError, type Tensor } from '@burin/tensor';

/** A loss compares element with element: broadcasting would hide a mistake. */
export function checkSameShape(who: string, [first, a]: [string, Tensor], [second, b]: [string, Tensor]): void {
  if (`${a.shape}` !== `${b.shape}`) {
    throw new ShapeError(`${who}: ${second} must have the shape of ${first}: expected [${a.shape}], got [${b.shape}]`);
  }
}
