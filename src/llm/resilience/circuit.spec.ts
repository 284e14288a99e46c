import { describe, expect, it } from '@jest/globals';
import { Circuit, PROBE_AFTER_MS } from './circuit.js';

/** Creates a circuit with a clock that the test controls. */
function newCircuit() {
  const clock = { now: 0 };
  const circuit = new Circuit({ probeAfterMs: PROBE_AFTER_MS, now: () => clock.now });
  return { circuit, clock };
}

/** Creates a circuit that faults have just opened. */
function newOpenCircuit() {
  const made = newCircuit();
  for (let attempt = 0; attempt < 5; attempt += 1) made.circuit.report('fault', made.circuit.admit());
  return made;
}

describe('Circuit', () => {
  it('opens after five attempts if most of them were faults', () => {
    const { circuit } = newCircuit();
    for (const verdict of ['good', 'good', 'fault', 'fault'] as const)
      circuit.report(verdict, circuit.admit());
    expect(circuit.refuses).toBe(false);
    circuit.report('fault', circuit.admit());
    expect(circuit.refuses).toBe(true);
  });

  it('no longer counts an answer as good once it breaks off', () => {
    const { circuit } = newCircuit();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const admission = circuit.admit();
      circuit.begin(admission);
      expect(circuit.refuses).toBe(false);
      circuit.report('fault', admission);
    }
    expect(circuit.refuses).toBe(true);
  });

  it('admits one probe after the open period, and another if that takes long', () => {
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

  it.each(['fault', 'silent'] as const)('stays open after a probe with the verdict %s', (verdict) => {
    const { circuit, clock } = newOpenCircuit();
    clock.now += PROBE_AFTER_MS;
    circuit.report(verdict, circuit.admit());
    clock.now += PROBE_AFTER_MS - 1;
    expect(circuit.refuses).toBe(true);
  });

  it('admits another probe if the first was never sent', () => {
    const { circuit, clock } = newOpenCircuit();
    clock.now += PROBE_AFTER_MS;
    circuit.admit();
    circuit.cancelProbe();
    expect(circuit.refuses).toBe(false);
  });

  it('ignores attempts that began before it opened', () => {
    const { circuit, clock } = newCircuit();
    const early = Array.from({ length: 10 }, () => circuit.admit());
    for (const admission of early.slice(0, 5)) circuit.report('fault', admission);
    clock.now += PROBE_AFTER_MS;
    circuit.report('good', circuit.admit());
    for (const admission of early.slice(5)) circuit.report('fault', admission);
    expect(circuit.refuses).toBe(false);
  });
});
