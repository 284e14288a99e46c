import type { Answer, ToolCall } from './wire.js';
import { parseJson, property } from './unknown-value.js';

/** One content block of an answer: how it begins, the deltas that fill it, and what signs it. */
export interface Block {
  start: object;
  /** Tool calls show themselves with their first event, which counts as an output then. */
  startCounts: boolean;
  deltas: readonly object[];
  /** Sent with the end of the block; no output. */
  seal: readonly object[];
}

/** Signs every thinking block, as the opaque text that has to come back unchanged. */
export const FAKE_SIGNATURE = 'RmFrZSBzaWduYXR1cmU=';

/** The content blocks of an answer, in the order of the wire. */
export function blocksOf({ reasoning, text, toolCalls }: Answer): Block[] {
  const thinking: Block = {
    start: { type: 'thinking', thinking: '', signature: '' },
    startCounts: false,
    deltas: reasoning.map((part) => ({ type: 'thinking_delta', thinking: part })),
    seal: [{ type: 'signature_delta', signature: FAKE_SIGNATURE }],
  };
  const said: Block = {
    start: { type: 'text', text: '' },
    startCounts: false,
    deltas: text.map((part) => ({ type: 'text_delta', text: part })),
    seal: [],
  };
  return [
    ...(reasoning.length > 0 ? [thinking] : []),
    ...(text.length > 0 ? [said] : []),
    ...toolCalls.map(toolBlock),
  ];
}

function toolBlock({ id, name, fragments }: ToolCall): Block {
  return {
    start: { type: 'tool_use', id, name, input: {} },
    startCounts: true,
    deltas: fragments.map((part) => ({ type: 'input_json_delta', partial_json: part })),
    seal: [],
  };
}

/** A block as a body without a stream has it: its deltas put together. */
export function wholeBlock({ start, deltas, seal }: Block): object {
  const joined = (name: string): string => deltas.map((delta) => String(property(delta, name))).join('');
  switch (property(start, 'type')) {
    case 'thinking':
      return { ...start, ...seal[0], type: 'thinking', thinking: joined('thinking') };
    case 'text':
      return { ...start, text: joined('text') };
    default:
      return { ...start, input: parseJson(joined('partial_json')) ?? {} };
  }
}
