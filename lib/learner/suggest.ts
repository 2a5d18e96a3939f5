/** Chooses a learning rate from those that were tried, in order, and the smoothed losses that they gave. */
export type Suggestion = (lrs: readonly number[], losses: readonly number[]) => number;

function indexOfLeast(values: readonly number[]): number {
  return values.reduce((least, value, i) => (value < (values[least] ?? Infinity) ? i : least), 0);
}

/**
 * Suggests a point two thirds of the way down the longest valley: the longest falling subsequence of the losses.
 *
 * Source: fastai's `valley`, after ESRI's.
 */
export const valley: Suggestion = (lrs, losses) => {
  // length[i]: that of the longest falling subsequence that ends at i.
  const length: number[] = [];
  for (const loss of losses) {
    const before = length.filter((_, j) => loss < (losses[j] ?? NaN));
    length.push(1 + Math.max(0, ...before));
  }
  const longest = Math.max(1, ...length);
  // Where no loss is below an earlier one, the valley has no length.
  const end = length.indexOf(longest);
  const start = longest === 1 ? 0 : end - longest;
  const third = (end - start) / 3;
  return lrs[start + Math.trunc(third) + Math.trunc(third / 2)] ?? NaN;
};

/** Suggests a tenth of the learning rate with the least loss. Source: fastai's `minimum`. */
export const minimum: Suggestion = (lrs, losses) => (lrs[indexOfLeast(losses)] ?? NaN) / 10;

/** Suggests where the loss falls most steeply along the logarithm of the learning rate. Source: fastai's `steep`. */
export const steep: Suggestion = (lrs, losses) => {
  const slopes = losses.slice(1).map((loss, i) => {
    const [from = NaN, to = NaN] = lrs.slice(i, i + 2);
    return (loss - (losses[i] ?? NaN)) / (Math.log(to) - Math.log(from));
  });
  return lrs[indexOfLeast(slopes)] ?? NaN;
};

// Central differences, one-sided at the ends, as numpy's `gradient`.
function gradient(values: readonly number[]): number[] {
  const last = values.length - 1;
  return values.map((_, i) => {
    const [left, right] = [Math.max(0, i - 1), Math.min(last, i + 1)];
    return ((values[right] ?? NaN) - (values[left] ?? NaN)) / (right - left);
  });
}

const slideWidth = 15;
const slideThreshold = 0.005;

/** Suggests where, coming from the right, the slopes at both ends of a sliding window agree. Source: fastai's `slide`. */
export const slide: Suggestion = (lrs, losses) => {
  const slopes = gradient(losses);
  let left = Math.max(0, losses.length - 1 - slideWidth);
  let right = losses.length - 1;
  let found = left;
  while (left >= 0 && Math.abs((slopes[right] ?? NaN) - (slopes[left] ?? NaN)) > slideThreshold) {
    found = left;
    left -= 1;
    right -= 1;
  }
  return lrs[found] ?? NaN;
};
