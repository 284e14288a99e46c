import type Anthropic from '@anthropic-ai/sdk';
import type { NativeRequest } from '../../llm/index.js';
import type { CountBody, WireHeaders } from './messages-body.js';
import { foreignBlock } from './to-chat-messages.js';
import { isOwnTool } from './to-chat-request.js';

/** Fields that the common tongue has words for. */
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

/** Fields on which the answer hangs, and which only a provider of this wire understands. */
const ONLY_HERE = [
  'container',
  'context_management',
  'inference_geo',
  'mcp_servers',
  'workspace_id',
] as const;

/** The headers of the wire that a provider has to be told. */
const HEADERS = ['anthropic-version', 'anthropic-beta'] as const;

/** A request in the caller's own words. */
export function toNativeRequest(path: string, body: CountBody, headers: WireHeaders): NativeRequest {
  return {
    wire: 'anthropic',
    path,
    body: { ...body, messages: body.messages.map(withoutUnsigned) },
    headers: Object.fromEntries(
      HEADERS.flatMap((name) => {
        const value = headers[name];
        return value === undefined ? [] : [[name, String(value)]];
      }),
    ),
    onlyHere: foreignField(body),
    hints: hintsOf(body),
  };
}

/**
 * Thoughts of a model of another wire went out without a seal, since there is none. Anthropic's refuse them so, and
 * where a conversation goes on with one of those they are left out.
 */
function withoutUnsigned(message: Anthropic.MessageParam): Anthropic.MessageParam {
  if (message.role !== 'assistant' || typeof message.content === 'string') return message;
  const isSigned = (block: Anthropic.ContentBlockParam): boolean =>
    block.type !== 'thinking' || block.signature !== '';
  return message.content.every(isSigned)
    ? message
    : { ...message, content: message.content.filter(isSigned) };
}

/** The first thing in a request that the common tongue has no words for and that the answer hangs on. */
function foreignField(body: CountBody): string | undefined {
  const field = ONLY_HERE.find((name) => isAsked(Reflect.get(body, name)));
  if (field !== undefined) return field;
  const tools = body.tools ?? [];
  const place = tools.findIndex((tool) => !isOwnTool(tool));
  if (place !== -1) return `tools.${place}.${String(tools[place]?.type)}`;
  return foreignBlock(body.messages) ?? (saysNothing(body) ? 'messages' : undefined);
}

/** The fields that another wire leaves out and that an answer can do without; those that are new to us count as such. */
function hintsOf(body: CountBody): string[] {
  return Object.entries(body).flatMap(([name, value]) => (KNOWN.has(name) || !isAsked(value) ? [] : [name]));
}

/** A conversation whose turns are all empty, of which nothing is left on another wire. */
function saysNothing({ messages }: CountBody): boolean {
  return messages.every(({ content }) => content.length === 0);
}

function isAsked(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}
