import type { HeadLayout } from '@burin/nn';
import type { Case } from '../case.js';

const LAYOUTS: Readonly<Record<string, HeadLayout>> = {
  '[batch, heads, seq, head_dim]': 'bhtd',
  '[batch, seq, heads, head_dim]': 'bthd',
};

/** Which axis of queries and keys counts tokens. */
export function layoutOf(c: Case): HeadLayout {
  const text = c.config.text('layout');
  const layout = LAYOUTS[text];
  if (layout) return layout;
  throw new RangeError(`config.layout: expected one of ${Object.keys(LAYOUTS).join(' and ')}, got ${text}`);
}
