import type { Answer, ToolCall } from './provider-protocol.js';
import { parseJson, property } from './unknown-value.js';

/** A content block of an answer: its start, the deltas that fill it, and its signature. */
export interface Block {
  start: object;
  /** Tool calls are visible from their first event, which then counts as an output. */
  startCounts: boolean;
  deltas: readonly object[];
  /** Sent with the end of the block; not an output. */
  seal: readonly object[];
}

/** The signature of every thinking block, an opaque text that must be sent back unchanged. */
export const FAKE_SIGNATURE = 'RmFrZSBzaWduYXR1cmU=';

/** Returns the content blocks of an answer in the order of the protocol. */
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

/** Returns a block for a JSON body: its deltas joined. */
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
