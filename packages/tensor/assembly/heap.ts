/** The first byte past the module's constants: the allocator may use what follows. */
export function heapBase(): usize {
  return __heap_base;
}
