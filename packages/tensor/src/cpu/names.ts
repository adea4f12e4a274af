/** `silu` to `Silu`, in types too: the exports of the kernels are named after their operations. */
export function capitalize<Name extends string>(name: Name): Capitalize<Name> {
  return (name.charAt(0).toUpperCase() + name.slice(1)) as Capitalize<Name>;
}
