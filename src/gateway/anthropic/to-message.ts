import type { ChatCompletion, ModelAnswer } from '../../llm/index.js';
import {
  type AnswerBlock,
  type MessageBody,
  newMessageId,
  newToolUseId,
  REASONING,
  textAt,
  toEnding,
} from './message-shape.js';
import { toMessageUsage } from './message-usage.js';

type Choice = ChatCompletion['choices'][number];

/** A whole answer of another wire as a message. */
export function toMessage({ completion, model, usage }: ModelAnswer): MessageBody {
  const [choice] = completion.choices;
  return {
    id: newMessageId(),
    type: 'message',
    role: 'assistant',
    model: model.name,
    content: choice === undefined ? [] : blocksOf(choice.message),
    ...toEnding({
      finishReason: choice?.finish_reason ?? 'stop',
      calledTools: (choice?.message.tool_calls ?? []).length > 0,
      refusal: choice?.message.refusal ?? '',
      stopSequence: choice && textAt(choice, 'stop_reason'),
    }),
    container: null,
    usage: toMessageUsage(usage),
  };
}

function blocksOf(message: Choice['message']): AnswerBlock[] {
  const thinking = textAt(message, ...REASONING) ?? '';
  const text = (message.content ?? '') + (message.refusal ?? '');
  return [
    ...(thinking === '' ? [] : [{ type: 'thinking' as const, thinking, signature: '' as const }]),
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...(message.tool_calls ?? []).flatMap((call) =>
      call.type === 'function'
        ? [{ type: 'tool_use' as const, id: call.id || newToolUseId(), ...callOf(call.function) }]
        : [],
    ),
  ];
}

function callOf(call: { readonly name: string; readonly arguments: string }): {
  name: string;
  input: unknown;
} {
  return { name: call.name, input: parseInput(call.arguments) };
}

/** An answer that was cut off has a torn text here, and the wire has only objects. */
function parseInput(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
