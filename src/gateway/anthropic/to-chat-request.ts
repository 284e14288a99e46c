import type Anthropic from '@anthropic-ai/sdk';
import { type ChatRequest, joinNeighbours } from '../../llm/index.js';
import type { CountBody } from './messages-body.js';
import { toChatMessages, toSystemMessages } from './to-chat-messages.js';

type Effort = NonNullable<ChatRequest['reasoning_effort']>;
type Tool = NonNullable<ChatRequest['tools']>[number];

/** From how many tokens of thinking on it is more than a little, and much. */
const BUDGET = { medium: 4096, high: 12_288 } as const;

/**
 * A Messages request as one of the common tongue, as far as that has words for it; what it has none for is told by
 * `foreignField` and `hintsOf`. https://platform.claude.com/docs/en/api/messages
 */
export function toChatRequest(body: CountBody & { readonly max_tokens?: number }): ChatRequest {
  const { temperature, top_p, stop_sequences: stop = [], metadata } = body;
  const effort = effortOf(body);
  const schema = (body.output_config?.format ?? body.output_format)?.schema;
  const request: ChatRequest = {
    // The API joins neighbours of one role, and clients count on it.
    messages: joinNeighbours([...toSystemMessages(body.system), ...body.messages.flatMap(toChatMessages)]),
    ...(body.max_tokens !== undefined && { max_completion_tokens: body.max_tokens }),
    ...(typeof temperature === 'number' && { temperature }),
    ...(typeof top_p === 'number' && { top_p }),
    ...(stop.length > 0 && { stop }),
    ...(effort !== undefined && { reasoning_effort: effort }),
    ...(schema && { response_format: toResponseFormat(schema) }),
    ...toTools(body),
  };
  if (typeof metadata?.user_id === 'string') request.user = metadata.user_id;
  return request;
}

/** Whoever asks for a schema on this wire is promised that the answer fits it. */
function toResponseFormat(schema: Record<string, unknown>): NonNullable<ChatRequest['response_format']> {
  return { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } };
}

/**
 * How much is to be thought: as much as is said, or as the budget comes to. `disabled` and `adaptive` alone leave it to
 * the model, because models that do not think refuse to be told about it.
 */
function effortOf({ output_config, thinking }: CountBody): Effort | undefined {
  if (output_config?.effort) return output_config.effort;
  if (thinking?.type !== 'enabled') return undefined;
  if (thinking.budget_tokens >= BUDGET.high) return 'high';
  return thinking.budget_tokens >= BUDGET.medium ? 'medium' : 'low';
}

/** Tools of the caller's own, and how they are chosen; a choice without tools means nothing, and some hosts refuse it. */
function toTools({
  tools = [],
  tool_choice: choice,
}: CountBody): Pick<ChatRequest, 'tools' | 'tool_choice' | 'parallel_tool_calls'> {
  const own = tools.flatMap((tool) => (isOwnTool(tool) ? [toTool(tool)] : []));
  if (own.length === 0) return {};
  const single = choice !== undefined && choice.type !== 'none' && choice.disable_parallel_tool_use === true;
  return {
    tools: own,
    ...(choice && { tool_choice: toToolChoice(choice) }),
    ...(single && { parallel_tool_calls: false }),
  };
}

function toTool({ name, description, input_schema, strict }: Anthropic.Tool): Tool {
  return {
    type: 'function',
    function: {
      name,
      ...(description !== undefined && { description }),
      parameters: input_schema,
      ...(strict === true && { strict }),
    },
  };
}

function toToolChoice(choice: Anthropic.ToolChoice): NonNullable<ChatRequest['tool_choice']> {
  switch (choice.type) {
    case 'auto':
    case 'none':
      return choice.type;
    case 'any':
      return 'required';
    case 'tool':
      return { type: 'function', function: { name: choice.name } };
  }
}

/** A tool that the caller runs; every other one is run by the provider, or known to its models alone. */
export function isOwnTool(tool: Anthropic.ToolUnion): tool is Anthropic.Tool {
  return !('type' in tool) || (tool.type ?? 'custom') === 'custom';
}
