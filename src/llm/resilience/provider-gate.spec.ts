import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ProviderError, type ProviderErrorKind } from '../port/index.js';
import { ProviderGate } from './provider-gate.js';

const PROBE_AFTER_MS = 60;

const patient = new AbortController().signal;

function gate(): ProviderGate {
  return new ProviderGate({ maxConcurrency: 2, maxQueue: 1, probeAfterMs: PROBE_AFTER_MS });
}

async function fail(at: ProviderGate, kind: ProviderErrorKind, times = 5): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    (await at.enter(patient)).settle(new ProviderError(kind, 'No.'));
    await told();
  }
}

/** Until the circuit has heard of what was settled. */
function told(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

async function openGate(): Promise<ProviderGate> {
  const opened = gate();
  await fail(opened, 'unavailable');
  await expect(opened.enter(patient)).rejects.toMatchObject({
    kind: 'circuit_open',
    retryAfterMs: PROBE_AFTER_MS,
  });
  return opened;
}

describe('the circuit of a provider', () => {
  it.each<ProviderErrorKind>(['timeout', 'unavailable', 'broken_answer'])('opens by %s', async (kind) => {
    const failing = gate();
    await fail(failing, kind, 4);
    (await failing.enter(patient)).settle(new ProviderError(kind, 'No.'));
    await told();
    await expect(failing.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
  });

  it.each<ProviderErrorKind>([
    'rejected',
    'content_policy_violation',
    'context_length_exceeded',
    'unauthorized',
    'model_not_found',
    'rate_limited',
  ])('stays closed by %s', async (kind) => {
    const failing = gate();
    await fail(failing, kind, 20);
    await expect(failing.enter(patient)).resolves.toBeDefined();
  });

  it('stays closed where no more than half fails', async () => {
    const failing = gate();
    for (let count = 0; count < 10; count += 1) {
      (await failing.enter(patient)).settle('completed');
      await fail(failing, 'unavailable', 1);
    }
    await expect(failing.enter(patient)).resolves.toBeDefined();
  });

  it('hears nothing good of calls that were cancelled', async () => {
    const failing = gate();
    for (let count = 0; count < 20; count += 1) (await failing.enter(patient)).settle('cancelled');
    await fail(failing, 'timeout');
    await expect(failing.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
  });

  it('lets one probe, and nobody waits for it', async () => {
    const opened = await openGate();
    await delay(PROBE_AFTER_MS + 5);
    const probe = await opened.enter(patient);
    await expect(opened.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
    probe.settle('completed');
    await told();
    const permits = [await opened.enter(patient), await opened.enter(patient)];
    for (const permit of permits) permit.settle('completed');
  });

  it('closes when the answer of a probe begins, however long it is', async () => {
    const opened = await openGate();
    await delay(PROBE_AFTER_MS + 5);
    const probe = await opened.enter(patient);
    probe.begun();
    await told();
    (await opened.enter(patient)).settle('completed');
    // What becomes of it later does not open it again.
    probe.settle(new ProviderError('broken_answer', 'Cut.'));
    await told();
    await expect(opened.enter(patient)).resolves.toBeDefined();
  });

  it('goes on resting after a probe that failed or was given up', async () => {
    const opened = await openGate();
    for (const outcome of [new ProviderError('timeout', 'Silent.'), 'cancelled'] as const) {
      await delay(PROBE_AFTER_MS + 5);
      (await opened.enter(patient)).settle(outcome);
      await told();
      await expect(opened.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
    }
    await delay(PROBE_AFTER_MS + 5);
    (await opened.enter(patient)).settle('completed');
    await told();
    await expect(opened.enter(patient)).resolves.toBeDefined();
  });

  it('closes where a probe is refused: who refuses is there', async () => {
    const opened = await openGate();
    await delay(PROBE_AFTER_MS + 5);
    (await opened.enter(patient)).settle(new ProviderError('rate_limited', 'Later.'));
    await told();
    await expect(opened.enter(patient)).resolves.toBeDefined();
  });

  it('lets nobody wait for a place at a provider that is down', async () => {
    const failing = gate();
    const held = await failing.enter(patient);
    await fail(failing, 'unavailable');
    await expect(failing.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
    held.settle('cancelled');
  });

  it('refuses who waited for a place while it opened, and no place is lost', async () => {
    const failing = gate();
    await fail(failing, 'unavailable', 4);
    const [one, two] = [await failing.enter(patient), await failing.enter(patient)];
    one.settle(new ProviderError('unavailable', 'Down.'));
    const held = failing.enter(patient);
    const waiting = failing.enter(patient);
    await told();
    await expect(held).resolves.toBeDefined();
    two.settle('cancelled');
    await expect(waiting).rejects.toMatchObject({ kind: 'circuit_open' });
    (await held).settle('cancelled');
    await delay(PROBE_AFTER_MS + 5);
    (await failing.enter(patient)).settle('completed');
    await told();
    expect([await failing.enter(patient), await failing.enter(patient)]).toHaveLength(2);
  });
});

describe('the places of a provider', () => {
  it('are bounded, and so is their queue', async () => {
    const full = gate();
    const permits = [await full.enter(patient), await full.enter(patient)];
    const waiting = full.enter(patient);
    await expect(full.enter(patient)).rejects.toMatchObject({ kind: 'overloaded' });
    permits[0]?.settle(new ProviderError('rejected', 'No.'));
    (await waiting).settle('completed');
    permits[1]?.settle('cancelled');
    expect([await full.enter(patient), await full.enter(patient)]).toHaveLength(2);
  });
});
