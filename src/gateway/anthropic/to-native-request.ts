import type Anthropic from '@anthropic-ai/sdk';
import { alphanumericDigest } from '../../common/digest.js';
import type { NativeRequest } from '../../llm/index.js';
import type { CountBody, AnthropicHeaders } from './messages-body.js';
import { isForeignReasoning } from './reasoning-seal.js';
import { findUnsupportedBlock } from './to-chat-messages.js';
import { isClientTool } from './to-chat-request.js';

/** Fields that the canonical format can express. */
const KNOWN: ReadonlySet<string> = new Set([
  'max_tokens',
  'messages',
  'metadata',
  'model',
  'output_config',
  'output_format',
  'stop_sequences',
  'stream',
  'system',
  'temperature',
  'thinking',
  'tool_choice',
  'tools',
  'top_p',
]);

/** Fields that the answer depends on, and that only a provider with this protocol understands. */
const NATIVE_ONLY_FIELDS = [
  'container',
  'context_management',
  'inference_geo',
  'mcp_servers',
  'workspace_id',
] as const;

/** The headers of the protocol that are sent to a provider. */
const HEADERS = ['anthropic-version', 'anthropic-beta'] as const;

/** Creates a request in the caller's own API format. */
export function toNativeRequest(path: string, body: CountBody, headers: AnthropicHeaders): NativeRequest {
  return {
    protocol: 'anthropic',
    path,
    body: { ...body, messages: body.messages.map(withoutForeign) },
    headers: Object.fromEntries(
      HEADERS.flatMap((name) => {
        const value = headers[name];
        return value === undefined ? [] : [[name, String(value)]];
      }),
    ),
    nativeOnlyField: findNativeOnlyField(body),
    droppableFields: findDroppableFields(body),
  };
}

/**
 * Removes from a turn what Anthropic refuses in answers that other providers wrote: reasoning that it has not
 * signed. Replaces tool call ids of another form, in the same way in calls and results.
 */
function withoutForeign(message: Anthropic.MessageParam): Anthropic.MessageParam {
  if (message.role === 'system' || typeof message.content === 'string') return message;
  if (!message.content.some(isForeign)) return message;
  const kept = message.content.filter((block) => message.role !== 'assistant' || !isForeignReasoning(block));
  return { ...message, content: kept.map(withAcceptedId) };
}

function isForeign(block: Anthropic.ContentBlockParam): boolean {
  return isForeignReasoning(block) || withAcceptedId(block) !== block;
}

function withAcceptedId(block: Anthropic.ContentBlockParam): Anthropic.ContentBlockParam {
  if (block.type === 'tool_use' && !CALL_ID.test(block.id)) return { ...block, id: acceptedId(block.id) };
  if (block.type !== 'tool_result' || CALL_ID.test(block.tool_use_id)) return block;
  return { ...block, tool_use_id: acceptedId(block.tool_use_id) };
}

/** The ids that Anthropic accepts: "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'". */
const CALL_ID = /^[a-zA-Z0-9_-]+$/;

function acceptedId(id: string): string {
  return `call_${alphanumericDigest(id, 24)}`;
}

/**
 * Returns the first field of a request that the canonical format cannot express and that the answer depends on.
 */
function findNativeOnlyField(body: CountBody): string | undefined {
  const field = NATIVE_ONLY_FIELDS.find((name) => isAsked(Reflect.get(body, name)));
  if (field !== undefined) return field;
  const tools = body.tools ?? [];
  const place = tools.findIndex((tool) => !isClientTool(tool));
  if (place !== -1) return `tools.${place}.${String(tools[place]?.type)}`;
  return findUnsupportedBlock(body.messages) ?? (isEmptyConversation(body) ? 'messages' : undefined);
}

/**
 * Returns the fields that another protocol drops and that an answer does not depend on; unknown fields count as
 * such.
 */
function findDroppableFields(body: CountBody): string[] {
  return Object.entries(body).flatMap(([name, value]) => (KNOWN.has(name) || !isAsked(value) ? [] : [name]));
}

/** Returns true if all turns are empty, so that nothing would remain in another protocol. */
function isEmptyConversation({ messages }: CountBody): boolean {
  return messages.every(({ content }) => content.length === 0);
}

function isAsked(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}
