import type Anthropic from '@anthropic-ai/sdk';
import type { ChatRequest } from '../../port/index.js';
import { knowsExtraHighEffort, takesOneSampling, takesSampling, thinkingOf } from './claude-models.js';
import { cacheMarkOf, rejected } from './to-anthropic-blocks.js';
import { toConversation } from './to-anthropic-messages.js';

/** A request of the Messages API. The SDK's type no longer knows the sampling that older models still take. */
export type MessagesRequest = Anthropic.MessageCreateParamsStreaming & {
  temperature?: number;
  top_p?: number;
};

type OutputConfig = Anthropic.OutputConfig;
type Effort = NonNullable<OutputConfig['effort']>;
type AskedEffort = NonNullable<ChatRequest['reasoning_effort']>;

/**
 * The wire insists on a limit and the common tongue does not: this one is used where the caller sets none. It is the
 * most that every Claude model still served takes, and leaves room for thinking, which counts as well.
 */
const DEFAULT_MAX_TOKENS = 32_000;

/** The tokens that an older model may think for. The wire wants at least 1,024, and fewer than `max_tokens`. */
const BUDGET_OF_EFFORT: Readonly<Record<Effort, number>> = {
  low: 1024,
  medium: 4096,
  high: 12_288,
  xhigh: 24_576,
  max: 24_576,
};

/**
 * A request of the common tongue as one of the Messages API.
 * https://platform.claude.com/docs/en/api/messages
 *
 * @param model the model's name as the provider knows it; what it takes differs with its age
 * @throws ProviderError `rejected` where the request asks for what the wire cannot carry
 */
export function toMessagesRequest(request: ChatRequest, model: string): MessagesRequest {
  const { system, messages } = toConversation(request.messages);
  const maxTokens = limitOf(request);
  const thinking = thinkingFor(request, model, maxTokens);
  const outputConfig = outputConfigFor(request, model);
  const stop = typeof request.stop === 'string' ? [request.stop] : (request.stop ?? []);
  return {
    model,
    max_tokens: maxTokens,
    stream: true,
    messages,
    ...(system.length > 0 && { system }),
    ...samplingFor(request, model, thinking),
    ...(thinking && { thinking }),
    ...(outputConfig && { output_config: outputConfig }),
    ...(stop.length > 0 && { stop_sequences: stop }),
    ...(typeof request.user === 'string' && { metadata: { user_id: request.user } }),
    ...toolsFor(request),
  };
}

/** The hints of a request that a model does not take, so that `toMessagesRequest` leaves them out. */
export function untakenHints(request: ChatRequest, model: string): string[] {
  const sent = samplingFor(request, model, thinkingFor(request, model, limitOf(request)));
  return (['temperature', 'top_p'] as const).filter(
    (name) => typeof request[name] === 'number' && sent[name] === undefined,
  );
}

function limitOf(request: ChatRequest): number {
  return request.max_completion_tokens ?? request.max_tokens ?? DEFAULT_MAX_TOKENS;
}

/** Sampling where the model takes it, which none does while it thinks. It is a hint: else it is left out. */
function samplingFor(
  { temperature, top_p }: ChatRequest,
  model: string,
  thinking: Anthropic.ThinkingConfigParam | undefined,
): { temperature?: number; top_p?: number } {
  if (!takesSampling(model) || (thinking !== undefined && thinking.type !== 'disabled')) return {};
  if (typeof temperature !== 'number') return typeof top_p === 'number' ? { top_p } : {};
  return typeof top_p === 'number' && !takesOneSampling(model) ? { temperature, top_p } : { temperature };
}

function effortOf(asked: AskedEffort, model: string): Effort | undefined {
  if (asked === 'none') return undefined;
  if (asked === 'minimal') return 'low';
  return asked === 'xhigh' && !knowsExtraHighEffort(model) ? 'high' : asked;
}

function thinkingFor(
  { reasoning_effort: asked }: ChatRequest,
  model: string,
  maxTokens: number,
): Anthropic.ThinkingConfigParam | undefined {
  if (!asked) return undefined;
  const effort = effortOf(asked, model);
  if (effort === undefined) return { type: 'disabled' };
  // Without `summarized`, current models think in silence, and a silent stream looks like a dead one.
  if (thinkingOf(model) === 'adaptive') return { type: 'adaptive', display: 'summarized' };
  const budget = Math.min(BUDGET_OF_EFFORT[effort], maxTokens - 1);
  return budget < BUDGET_OF_EFFORT.low ? undefined : { type: 'enabled', budget_tokens: budget };
}

function outputConfigFor(request: ChatRequest, model: string): OutputConfig | undefined {
  const format = formatFor(request.response_format);
  const asked = thinkingOf(model) === 'adaptive' ? request.reasoning_effort : undefined;
  const effort = asked ? effortOf(asked, model) : undefined;
  if (format === undefined && effort === undefined) return undefined;
  return { ...(format && { format }), ...(effort && { effort }) };
}

/** https://platform.claude.com/docs/en/build-with-claude/structured-outputs */
function formatFor(format: ChatRequest['response_format']): Anthropic.JSONOutputFormat | undefined {
  if (!format || format.type === 'text') return undefined;
  if (format.type === 'json_object') {
    throw rejected(
      "This model has no 'response_format' of the type 'json_object'. Use 'json_schema' with the schema that you expect.",
    );
  }
  const { schema } = format.json_schema;
  if (schema === undefined) throw rejected("This model needs 'response_format.json_schema.schema'.");
  return { type: 'json_schema', schema };
}

/** Tools and how they are chosen; a choice without tools means nothing, and the wire refuses it. */
function toolsFor(request: ChatRequest): { tools?: Anthropic.Tool[]; tool_choice?: Anthropic.ToolChoice } {
  const tools = request.tools ?? [];
  if (tools.length === 0) return {};
  const choice = toolChoiceFor(request);
  return { tools: tools.map(toTool), ...(choice && { tool_choice: choice }) };
}

function toTool(tool: NonNullable<ChatRequest['tools']>[number]): Anthropic.Tool {
  if (tool.type !== 'function') throw rejected(`This model has no tools of the type '${tool.type}'.`);
  const { name, description, parameters, strict } = tool.function;
  return {
    name,
    ...(typeof description === 'string' && { description }),
    input_schema: { ...(parameters ?? { properties: {} }), type: 'object' },
    ...(strict === true && { strict }),
    ...cacheMarkOf(tool),
  };
}

function toolChoiceFor(request: ChatRequest): Anthropic.ToolChoice | undefined {
  const choice = request.tool_choice;
  if (choice === 'none') return { type: 'none' };
  const single = request.parallel_tool_calls === false ? { disable_parallel_tool_use: true } : undefined;
  if (!choice) return single && { type: 'auto', ...single };
  if (choice === 'auto') return { type: 'auto', ...single };
  if (choice === 'required') return { type: 'any', ...single };
  if (choice.type === 'function') return { type: 'tool', name: choice.function.name, ...single };
  throw rejected(`This model cannot honour a 'tool_choice' of the type '${choice.type}'.`);
}
