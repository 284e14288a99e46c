import { describe, expect, it } from '@jest/globals';
import { Circuit, PROBE_AFTER_MS } from './circuit.js';

/** A circuit with a clock that the test moves. */
function newCircuit() {
  const clock = { now: 0 };
  const circuit = new Circuit({ probeAfterMs: PROBE_AFTER_MS, now: () => clock.now });
  return { circuit, clock };
}

/** A circuit that faults have just opened. */
function newOpenCircuit() {
  const made = newCircuit();
  for (let attempt = 0; attempt < 5; attempt += 1) made.circuit.report('fault', made.circuit.admit());
  return made;
}

describe('Circuit', () => {
  it('opens after five attempts of which most were faults', () => {
    const { circuit } = newCircuit();
    for (const verdict of ['good', 'good', 'fault', 'fault'] as const)
      circuit.report(verdict, circuit.admit());
    expect(circuit.refuses).toBe(false);
    circuit.report('fault', circuit.admit());
    expect(circuit.refuses).toBe(true);
  });

  it('takes back the good beginning of an answer that breaks off', () => {
    const { circuit } = newCircuit();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const admission = circuit.admit();
      circuit.begin(admission);
      expect(circuit.refuses).toBe(false);
      circuit.report('fault', admission);
    }
    expect(circuit.refuses).toBe(true);
  });

  it('lets one probe through when it has rested, and another one when that takes long', () => {
    const { circuit, clock } = newOpenCircuit();
    clock.now += PROBE_AFTER_MS - 1;
    expect(circuit.refuses).toBe(true);
    clock.now += 1;
    expect(circuit.refuses).toBe(false);
    const slow = circuit.admit();
    expect(slow.probe).toBe(true);
    expect(circuit.refuses).toBe(true);
    clock.now += PROBE_AFTER_MS;
    expect(circuit.refuses).toBe(false);
    expect(circuit.admit().probe).toBe(true);
    expect(circuit.refuses).toBe(true);
    circuit.report('good', slow);
    expect(circuit.refuses).toBe(false);
  });

  it.each(['fault', 'silent'] as const)('rests again after a probe that ends %s', (verdict) => {
    const { circuit, clock } = newOpenCircuit();
    clock.now += PROBE_AFTER_MS;
    circuit.report(verdict, circuit.admit());
    clock.now += PROBE_AFTER_MS - 1;
    expect(circuit.refuses).toBe(true);
  });

  it('lets the next one probe when its probe was never sent', () => {
    const { circuit, clock } = newOpenCircuit();
    clock.now += PROBE_AFTER_MS;
    circuit.admit();
    circuit.forgoProbe();
    expect(circuit.refuses).toBe(false);
  });

  it('does not count what began before it opened', () => {
    const { circuit, clock } = newCircuit();
    const early = Array.from({ length: 10 }, () => circuit.admit());
    for (const admission of early.slice(0, 5)) circuit.report('fault', admission);
    clock.now += PROBE_AFTER_MS;
    circuit.report('good', circuit.admit());
    for (const admission of early.slice(5)) circuit.report('fault', admission);
    expect(circuit.refuses).toBe(false);
  });
});
