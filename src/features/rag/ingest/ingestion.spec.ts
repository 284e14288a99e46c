import { describe, expect, it } from '@jest/globals';
import { type IngestionProgress, progressOf } from './ingestion.js';

function progress(state: Partial<IngestionProgress>): number {
  return progressOf({
    status: 'processing',
    stage: 'extracting',
    hasVectors: true,
    chunkCount: null,
    chunkedCount: 0,
    embeddedCount: 0,
    ...state,
  });
}

describe('the progress of an ingestion', () => {
  it('increases from 0 to 1 through its stages', () => {
    const steps = [
      progress({ status: 'queued' }),
      progress({ stage: 'chunking' }),
      progress({ stage: 'chunking', chunkedCount: 200 }),
      progress({ stage: 'chunking', chunkedCount: 100_000 }),
      progress({ stage: 'embedding', chunkCount: 100_000, chunkedCount: 100_000 }),
      progress({ stage: 'embedding', chunkCount: 100_000, chunkedCount: 100_000, embeddedCount: 50_000 }),
      progress({ status: 'ready', stage: 'embedding' }),
    ];
    expect(steps).toEqual([...steps].sort((one, other) => one - other));
    expect(new Set(steps).size).toBe(steps.length);
    expect([steps[0], steps.at(-1)]).toEqual([0, 1]);
  });

  it('goes on to 1 with the chunks in a collection without vectors', () => {
    const half = progress({ stage: 'chunking', hasVectors: false, chunkedCount: 200 });
    expect(half).toBeCloseTo(0.55);
    expect(progress({ stage: 'chunking', hasVectors: false, chunkedCount: 1e6 })).toBeLessThanOrEqual(1);
  });

  it('of an ingestion that failed or was cancelled stays where it was', () => {
    const state = { stage: 'embedding', chunkCount: 10, chunkedCount: 10, embeddedCount: 5 } as const;
    expect(progress({ ...state, status: 'failed' })).toBe(progress(state));
    expect(progress({ ...state, status: 'cancelled' })).toBe(progress(state));
  });
});
