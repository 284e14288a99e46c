import {
  type AnswerMessage,
  type ChatCompletion,
  type ModelAnswer,
  type ModelIdentity,
  ReturnedFieldsCollector,
} from '../../llm/index.js';
import {
  type AnswerBlock,
  type AnthropicMessageBody,
  newMessageId,
  newToolUseId,
  REASONING,
  firstStringField,
  toAnswerEnd,
} from './message-shape.js';
import { toMessageUsage } from './message-usage.js';
import { sealProviderData, writeSeal } from './reasoning-seal.js';

type Choice = ChatCompletion['choices'][number];

/** Converts a whole answer of another protocol to a message. */
export function toMessage({ completion, model, usage }: ModelAnswer): AnthropicMessageBody {
  const [choice] = completion.choices;
  return {
    id: newMessageId(),
    type: 'message',
    role: 'assistant',
    model: model.name,
    content: choice === undefined ? [] : blocksOf(choice.message, model),
    ...toAnswerEnd({
      finishReason: choice?.finish_reason ?? 'stop',
      calledTools: (choice?.message.tool_calls ?? []).length > 0,
      refusal: choice?.message.refusal ?? '',
      stopSequence: choice && firstStringField(choice, 'stop_reason'),
    }),
    container: null,
    usage: toMessageUsage(usage),
  };
}

function blocksOf(message: Choice['message'], model: ModelIdentity): AnswerBlock[] {
  const field = REASONING.find((name) => firstStringField(message, name) !== undefined) ?? REASONING[0];
  const thinking = firstStringField(message, field) ?? '';
  const text = (message.content ?? '') + (message.refusal ?? '');
  const calls = (message.tool_calls ?? []).flatMap((call) =>
    call.type === 'function'
      ? [{ type: 'tool_use' as const, id: call.id || newToolUseId(), ...callOf(call.function) }]
      : [],
  );
  const signature = writeSeal({ provider: model.provider, model: model.model, field });
  const data = calls.length > 0 ? dataOf(message, model) : undefined;
  return [
    ...(thinking === '' ? [] : [{ type: 'thinking' as const, thinking, signature }]),
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...calls,
    ...(data === undefined ? [] : [{ type: 'redacted_thinking' as const, data }]),
  ];
}

/** Returns the sealed data that the provider needs back with the tool results, besides the reasoning. */
function dataOf(message: AnswerMessage, model: ModelIdentity): string | undefined {
  const returned = new ReturnedFieldsCollector();
  returned.add(message);
  return sealProviderData(model, message.provider_data ?? returned.providerData(model));
}

function callOf(call: { readonly name: string; readonly arguments: string }): {
  name: string;
  input: unknown;
} {
  return { name: call.name, input: parseInput(call.arguments) };
}

/**
 * Parses the arguments of a call. An answer that was cut off has incomplete JSON here, but the protocol has
 * only objects.
 */
function parseInput(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
