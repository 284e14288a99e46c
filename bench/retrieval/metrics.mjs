/** Measures of rankings and of passages. */

/**
 * Returns the normalized discounted cumulative gain of a ranking, with binary relevance.
 * @param {readonly string[]} ranking ids, the best first
 * @param {ReadonlySet<string>} relevant
 */
export function ndcg(ranking, relevant, depth = 10) {
  const gain = (rank) => 1 / Math.log2(rank + 2);
  let sum = 0;
  for (const [rank, id] of ranking.slice(0, depth).entries()) if (relevant.has(id)) sum += gain(rank);
  let ideal = 0;
  for (let rank = 0; rank < Math.min(depth, relevant.size); rank += 1) ideal += gain(rank);
  return ideal === 0 ? 0 : sum / ideal;
}

/**
 * Returns the share of the relevant documents that are among the first ones of a ranking.
 * @param {readonly string[]} ranking
 * @param {ReadonlySet<string>} relevant
 */
export function recall(ranking, relevant, depth = 10) {
  return ranking.slice(0, depth).filter((id) => relevant.has(id)).length / relevant.size;
}

/** @param {readonly number[]} values */
export function mean(values) {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Returns the length of what two lists of spans have in common.
 * @typedef {{ start: number, end: number }} Span half-open
 * @param {readonly Span[]} spans
 * @param {readonly Span[]} others
 */
export function commonLength(spans, others) {
  let sum = 0;
  for (const span of mergeSpans(spans))
    for (const other of mergeSpans(others))
      sum += Math.max(0, Math.min(span.end, other.end) - Math.max(span.start, other.start));
  return sum;
}

/** @param {readonly Span[]} spans */
export function totalLength(spans) {
  return mergeSpans(spans).reduce((sum, { start, end }) => sum + end - start, 0);
}

function mergeSpans(spans) {
  const merged = [];
  for (const { start, end } of spans.toSorted((one, other) => one.start - other.start)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}
