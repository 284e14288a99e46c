import { loadavg } from 'node:os';

/**
 * Prints a figure with its goal. One that misses it is not a failure.
 * @param {string} title
 * @param {{ value: number, unit: string, atMost?: number, atLeast?: number, detail?: string }} figure
 */
export function printFigure(title, { value, unit, atMost, atLeast, detail }) {
  const goal =
    atMost !== undefined
      ? `; goal at most ${atMost} ${unit}: ${value <= atMost ? 'met' : 'missed'}`
      : atLeast !== undefined
        ? `; goal at least ${atLeast} ${unit}: ${value >= atLeast ? 'met' : 'missed'}`
        : '';
  console.log(`  ${title}: ${round(value)} ${unit}${detail === undefined ? '' : ` (${detail})`}${goal}`);
}

/** Prints the heading of a part, with the load of the machine. */
export function printHeading(title) {
  console.log(`\n${title}; load ${loadavg()[0].toFixed(1)}`);
}

/** Rounds to three digits, as many as mean something here. */
export function round(value) {
  if (!Number.isFinite(value)) return 'unknown';
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}
