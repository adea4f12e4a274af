const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** The error function to within a few units of float64's last place. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) < 2) return erfSeries(x);
  return x > 0 ? 1 - erfcFraction(x) : erfcFraction(-x) - 1;
}

/** `1 − erf(x)` with no loss of digits where erf is near 1. */
export function erfc(x: number): number {
  return x >= 2 ? erfcFraction(x) : 1 - erf(x);
}

/** The standard normal distribution function Φ, exact in its lower tail too. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / Math.SQRT2);
}

/** The standard normal density φ. */
export function normalPdf(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}

export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** `log(1 + exp(x))` without overflow. */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** `2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (1·3·5 ⋯ (2n+1))`: every term has the sign of x, so nothing cancels. DLMF 7.6.2. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
}

/** `erfc(x) = e^(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …))))` for x ≥ 2, from the inside out. DLMF 7.9.1. */
function erfcFraction(x: number): number {
  let tail = x;
  for (let n = 120; n >= 1; n--) tail = x + n / 2 / tail; // 120 levels: converged to float64 at x = 2
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * tail);
}
