import { beforeEach, describe, expect, it } from '@jest/globals';
import { ProviderError, type ProviderErrorKind } from '../port/index.js';
import { Circuits } from './circuits.js';
import { type GateRequest, ProviderGate } from './provider-gate.js';

const PROBE_AFTER_MS = 10_000;

const patient: GateRequest = { model: 'm', keyScope: '', signal: new AbortController().signal };
const OTHER_MODEL: GateRequest = { ...patient, model: 'other' };
const OTHER_KEY: GateRequest = { ...patient, keyScope: 'own' };

/** The circuits' clock, in milliseconds. */
let now = 0;
let circuits: Circuits;

beforeEach(() => {
  now = 1_000_000;
  circuits = new Circuits({ probeAfterMs: PROBE_AFTER_MS, now: () => now });
});

function gate(): ProviderGate {
  return new ProviderGate({ provider: 'host', maxConcurrency: 2, maxQueue: 1, circuits });
}

/** Creates a gate for many concurrent calls. */
function wideGate(): ProviderGate {
  return new ProviderGate({ provider: 'host', maxConcurrency: 100, maxQueue: 1, circuits });
}

async function fail(
  at: ProviderGate,
  kind: ProviderErrorKind,
  { times = 5, request = patient }: { readonly times?: number; readonly request?: GateRequest } = {},
): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    (await at.enter(request)).settle(new ProviderError(kind, 'No.'));
  }
}

async function succeed(at: ProviderGate, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) (await at.enter(patient)).settle('completed');
}

async function breakOff(at: ProviderGate, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    const permit = await at.enter(patient);
    permit.begun();
    permit.settle(new ProviderError('broken_answer', 'Cut.'));
  }
}

async function expectOpen(at: ProviderGate, request = patient): Promise<void> {
  await expect(at.enter(request)).rejects.toMatchObject({ kind: 'circuit_open' });
}

async function expectClosed(at: ProviderGate, request = patient): Promise<void> {
  (await at.enter(request)).settle('not_asked');
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

describe('a circuit of the gate', () => {
  it('stays closed while more answers are in progress than have broken off', async () => {
    const busy = wideGate();
    const writing = await Promise.all(Array.from({ length: 8 }, () => busy.enter(patient)));
    for (const permit of writing) permit.begun();
    await breakOff(busy, 6);
    await expectClosed(busy);
    for (const permit of writing) permit.settle('completed');
  });

  it('opens because of answers that begin and break off', async () => {
    const failing = wideGate();
    await breakOff(failing, 5);
    await expectOpen(failing);
  });

  it.each<ProviderErrorKind>(['timeout', 'timed_out', 'unreachable', 'unavailable', 'broken_answer'])(
    'opens because of %s',
    async (kind) => {
      const failing = gate();
      await fail(failing, kind, { times: 4 });
      (await failing.enter(patient)).settle(new ProviderError(kind, 'No.'));
      await expect(failing.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
    },
  );

  it.each<ProviderErrorKind>([
    'rejected',
    'content_policy_violation',
    'context_length_exceeded',
    'unauthorized',
    'model_not_found',
    'rate_limited',
    'quota_exhausted',
    'unreadable_answer',
  ])('stays closed in spite of %s', async (kind) => {
    const failing = gate();
    await fail(failing, kind, { times: 20 });
    await expect(failing.enter(patient)).resolves.toBeDefined();
  });

  it('stays closed if no more than half of the attempts fail', async () => {
    const failing = gate();
    for (let count = 0; count < 10; count += 1) {
      (await failing.enter(patient)).settle('completed');
      await fail(failing, 'unavailable', { times: 1 });
    }
    await expect(failing.enter(patient)).resolves.toBeDefined();
  });

  it('does not count cancelled calls as good', async () => {
    const failing = gate();
    for (let count = 0; count < 20; count += 1) (await failing.enter(patient)).settle('cancelled');
    await fail(failing, 'timeout');
    await expect(failing.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
  });

  it('admits one probe, and no call waits for it', async () => {
    const opened = await openGate();
    now += PROBE_AFTER_MS;
    const probe = await opened.enter(patient);
    await expect(opened.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
    probe.settle('completed');
    const permits = [await opened.enter(patient), await opened.enter(patient)];
    for (const permit of permits) permit.settle('completed');
  });

  it('closes when the answer of a probe begins, however long it is', async () => {
    const opened = await openGate();
    now += PROBE_AFTER_MS;
    const probe = await opened.enter(patient);
    probe.begun();
    (await opened.enter(patient)).settle('completed');
    // Its later outcome does not open the circuit again.
    probe.settle(new ProviderError('broken_answer', 'Cut.'));
    await expect(opened.enter(patient)).resolves.toBeDefined();
  });

  it('stays open after a probe that failed or was cancelled', async () => {
    const opened = await openGate();
    for (const outcome of [new ProviderError('timeout', 'Silent.'), 'cancelled'] as const) {
      now += PROBE_AFTER_MS;
      (await opened.enter(patient)).settle(outcome);
      await expect(opened.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
    }
    now += PROBE_AFTER_MS;
    (await opened.enter(patient)).settle('completed');
    await expect(opened.enter(patient)).resolves.toBeDefined();
  });

  it('closes if a probe is refused, since the host has responded', async () => {
    const opened = await openGate();
    now += PROBE_AFTER_MS;
    (await opened.enter(patient)).settle(new ProviderError('rate_limited', 'Later.'));
    await expect(opened.enter(patient)).resolves.toBeDefined();
  });

  it('does not let a call wait for a slot if the provider is down', async () => {
    const failing = gate();
    const held = await failing.enter(patient);
    await fail(failing, 'unavailable');
    await expect(failing.enter(patient)).rejects.toMatchObject({ kind: 'circuit_open' });
    held.settle('cancelled');
  });

  it('refuses calls that waited for a slot while it opened, without losing a slot', async () => {
    const failing = gate();
    await fail(failing, 'unavailable', { times: 4 });
    const [one, two] = [await failing.enter(patient), await failing.enter(patient)];
    const waiting = expectOpen(failing);
    one.settle(new ProviderError('unavailable', 'Down.'));
    await waiting;
    two.settle('cancelled');
    now += PROBE_AFTER_MS;
    await succeed(failing, 1);
    expect([await failing.enter(patient), await failing.enter(patient)]).toHaveLength(2);
  });

  it('is probed by the next request if a probe ended before anything was sent', async () => {
    const opened = await openGate();
    now += PROBE_AFTER_MS;
    for (let count = 0; count < 3; count += 1) (await opened.enter(patient)).settle('not_asked');
    await succeed(opened, 1);
    await expectClosed(opened);
  });

  it('is not opened again by attempts that began before it opened', async () => {
    const failing = new ProviderGate({ provider: 'host', maxConcurrency: 20, maxQueue: 0, circuits });
    const early = await Promise.all(Array.from({ length: 8 }, () => failing.enter(patient)));
    await fail(failing, 'unavailable');
    now += PROBE_AFTER_MS;
    await succeed(failing, 1);
    for (const permit of early) permit.settle(new ProviderError('timeout', 'Silent.'));
    await expectClosed(failing);
  });

  it('ignores attempts older than 20 s', async () => {
    const failing = gate();
    await fail(failing, 'unavailable', { times: 4 });
    now += 20_001;
    await fail(failing, 'unavailable', { times: 4 });
    await expectClosed(failing);
    await fail(failing, 'unavailable', { times: 1 });
    await expectOpen(failing);
  });

  it('judges a burst of faults in proportion to all earlier successes', async () => {
    const busy = gate();
    await succeed(busy, 50);
    await fail(busy, 'unavailable', { times: 49 });
    await expectClosed(busy);
  });
});

describe('the scope of a circuit', () => {
  it.each<ProviderErrorKind>(['timeout', 'timed_out', 'unavailable', 'broken_answer'])(
    'is one model if it fails with %s: other models of the host are still called',
    async (kind) => {
      const failing = gate();
      await fail(failing, kind);
      await expectOpen(failing);
      await expectClosed(failing, OTHER_MODEL);
    },
  );

  it('is every model of the host if the host cannot be reached', async () => {
    const failing = gate();
    await fail(failing, 'unreachable');
    await expectOpen(failing);
    await expectOpen(failing, OTHER_MODEL);
    now += PROBE_AFTER_MS;
    (await failing.enter(OTHER_MODEL)).settle(new ProviderError('timeout', 'Silent.'));
    await expectClosed(failing);
  });

  it.each<ProviderErrorKind>(['unreachable', 'unavailable'])(
    'is one key if it fails with %s: the server’s key and a user’s key do not block each other',
    async (kind) => {
      const failing = gate();
      await fail(failing, kind, { request: OTHER_KEY });
      await expectOpen(failing, OTHER_KEY);
      await expectClosed(failing);
      await fail(failing, kind);
      await expectOpen(failing);
      await expectClosed(failing, { ...patient, keyScope: 'a third' });
    },
  );
});

describe('the memory of circuits', () => {
  it('contains none for names that no provider knows, nor for requests that are refused', async () => {
    const failing = gate();
    for (let count = 0; count < 50; count += 1) {
      const request = { ...patient, model: `unknown-${String(count)}` };
      await fail(failing, 'model_not_found', { times: 1, request });
      await fail(failing, 'rejected', { times: 1, request });
      (await failing.enter(request)).settle('not_asked');
    }
    // The circuit of the connection, which succeeded.
    expect(circuits.size).toBe(1);
  });

  it('contains at most 1,000, and the least recently used are evicted first', async () => {
    const failing = gate();
    await fail(failing, 'unavailable');
    for (let count = 0; count < 3_000; count += 1) {
      const request = { ...patient, model: `m-${String(count)}` };
      await fail(failing, 'unavailable', { times: 1, request });
      if (count % 500 === 0) await expectOpen(failing);
    }
    expect(circuits.size).toBe(1_000);
    await expectOpen(failing);
  });
});

describe('the slots of a provider', () => {
  it('are limited, and so is their queue', async () => {
    const full = gate();
    const permits = [await full.enter(patient), await full.enter(patient)];
    const waiting = full.enter(patient);
    await expect(full.enter(patient)).rejects.toMatchObject({ kind: 'overloaded' });
    permits[0]?.settle(new ProviderError('rejected', 'No.'));
    (await waiting).settle('completed');
    permits[1]?.settle('cancelled');
    expect([await full.enter(patient), await full.enter(patient)]).toHaveLength(2);
  });

  it('lets calls in the background wait, however many there are', async () => {
    const full = gate();
    const inBackground: GateRequest = { ...patient, priority: 'background' };
    const permits = [await full.enter(patient), await full.enter(patient)];
    const waiting = Array.from({ length: 5 }, () => full.enter(inBackground));
    expect(full.load).toMatchObject({ running: 2, waiting: 5 });
    for (const permit of permits) permit.settle('completed');
    for (const next of waiting) (await next).settle('completed');
    expect(full.load).toMatchObject({ running: 0, waiting: 0 });
  });
});
