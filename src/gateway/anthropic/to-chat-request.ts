import type Anthropic from '@anthropic-ai/sdk';
import { type ChatRequest, joinNeighbors } from '../../llm/index.js';
import type { CountBody } from './messages-body.js';
import { toCanonicalMessages, toSystemMessages } from './to-chat-messages.js';

type Effort = NonNullable<ChatRequest['reasoning_effort']>;
type Tool = NonNullable<ChatRequest['tools']>[number];

/** Thinking budgets, in tokens, from which the effort counts as medium and as high. */
const BUDGET = { medium: 4096, high: 12_288 } as const;

/**
 * Converts a Messages request to the canonical format, as far as that can express it; `findNativeOnlyField` and
 * `findDroppableFields` report the rest. https://platform.claude.com/docs/en/api/messages
 */
export function toChatRequest(body: CountBody & { readonly max_tokens?: number }): ChatRequest {
  const { temperature, top_p, stop_sequences: stop = [], metadata } = body;
  const effort = effortOf(body);
  const schema = (body.output_config?.format ?? body.output_format)?.schema;
  const request: ChatRequest = {
    // The API joins neighbors of one role, and clients rely on it.
    messages: joinNeighbors([
      ...toSystemMessages(body.system),
      ...body.messages.flatMap(toCanonicalMessages),
    ]),
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

/** Converts a schema. This API guarantees that the answer matches it. */
function toResponseFormat(schema: Record<string, unknown>): NonNullable<ChatRequest['response_format']> {
  return { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } };
}

/**
 * Returns the effort: the explicit one, or the one that corresponds to the budget. `disabled` and `adaptive`
 * alone leave it to the model, because models that do not think refuse the parameter.
 */
function effortOf({ output_config, thinking }: CountBody): Effort | undefined {
  if (output_config?.effort) return output_config.effort;
  if (thinking?.type !== 'enabled') return undefined;
  if (thinking.budget_tokens >= BUDGET.high) return 'high';
  return thinking.budget_tokens >= BUDGET.medium ? 'medium' : 'low';
}

/**
 * Converts the caller's own tools and the tool choice. A choice without tools has no meaning, and some hosts
 * refuse it.
 */
function toTools({
  tools = [],
  tool_choice: choice,
}: CountBody): Pick<ChatRequest, 'tools' | 'tool_choice' | 'parallel_tool_calls'> {
  const own = tools.flatMap((tool) => (isClientTool(tool) ? [toTool(tool)] : []));
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

/**
 * Returns true for a tool that the caller runs; any other is run by the provider, or known only to its models.
 */
export function isClientTool(tool: Anthropic.ToolUnion): tool is Anthropic.Tool {
  return !('type' in tool) || (tool.type ?? 'custom') === 'custom';
}
