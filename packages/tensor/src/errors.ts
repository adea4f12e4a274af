/** A tensor's shape does not fit the operation. */
export class ShapeError extends Error {
  override readonly name: string = 'ShapeError';
}

/** A tensor's dtype does not fit the operation. */
export class DtypeError extends Error {
  override readonly name: string = 'DtypeError';
}

/** A device is missing, or tensors of two devices meet in one operation. */
export class DeviceError extends Error {
  override readonly name: string = 'DeviceError';
}

/** A tensor or a graph is used after its memory was freed, or changed under a backward pass that needs it. */
export class LifetimeError extends Error {
  override readonly name: string = 'LifetimeError';
}
