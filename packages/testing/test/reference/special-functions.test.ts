import { describe, it } from 'vitest';
import { expectClose } from '../../src/index.js';
import { erf, erfc } from '../../src/reference/index.js';

const FEW_ULPS = { rtol: 2e-15, atol: 0 };

/** From mpmath 1.3.0 with 30 digits, rounded to float64: `mp.erf(mp.mpf(x))`, `mp.erfc(mp.mpf(x))`. */
const VALUES: [x: number, erf: number, erfc: number][] = [
  [0.0, 0.0, 1.0],
  [1e-8, 1.1283791670955126e-8, 0.9999999887162083],
  [0.1, 0.1124629160182849, 0.887537083981715],
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [1.0, 0.8427007929497149, 0.15729920705028513],
  [1.5, 0.9661051464753108, 0.033894853524689274],
  [1.9, 0.9927904292352575, 0.0072095707647425325],
  [2.0, 0.9953222650189527, 0.004677734981047266],
  [2.1, 0.997020533343667, 0.002979466656332984],
  [3.0, 0.9999779095030014, 2.209049699858544e-5],
  [5.0, 0.9999999999984626, 1.537459794428035e-12],
  [6.0, 1.0, 2.1519736712498913e-17],
  [9.0, 1.0, 4.13703174651381e-37],
  [20.0, 1.0, 5.395865611607901e-176],
  [-0.7, -0.6778011938374184, 1.6778011938374184],
  [-3.5, -0.9999992569016276, 1.9999992569016276],
];

describe('erf and erfc', () => {
  it('agree with 30-digit values, in the tails too', () => {
    expectClose(
      VALUES.map(([x]) => erf(x)),
      VALUES.map(([, value]) => value),
      FEW_ULPS,
      'erf',
    );
    expectClose(
      VALUES.map(([x]) => erfc(x)),
      VALUES.map(([, , value]) => value),
      { rtol: 3e-14, atol: 0 },
      'erfc',
    );
  });

  it('are odd, and reach their limits', () => {
    expectClose([erf(-1), erf(Infinity), erf(-Infinity), erf(NaN)], [-erf(1), 1, -1, NaN], FEW_ULPS);
    expectClose([erfc(Infinity), erfc(-Infinity), erfc(NaN)], [0, 2, NaN], FEW_ULPS);
  });
});
