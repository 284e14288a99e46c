import type Anthropic from '@anthropic-ai/sdk';
import type { ChatRequest, ProviderCall } from '../../port/index.js';
import type { Adjustments } from '../../transport/adjusted-streams.js';
import {
  supportsExtraHighEffort,
  supportsOneSamplingParameter,
  supportsSampling,
  thinkingModeOf,
} from './claude-models.js';
import { cacheMarkOf, isBlank, unsupportedContentError } from './to-anthropic-blocks.js';
import { callsWithoutThinking, toAnthropicPrompt } from './to-anthropic-messages.js';

/**
 * A request of the Messages API. The SDK's type no longer has the sampling parameters that older models still
 * accept.
 */
export type AnthropicRequest = Anthropic.MessageCreateParamsStreaming & {
  temperature?: number;
  top_p?: number;
};

/** The part of a call that determines its request. */
type MessagesCall = Pick<ProviderCall, 'request' | 'model' | 'ownChoices'>;

type OutputConfig = Anthropic.OutputConfig;
type Effort = NonNullable<OutputConfig['effort']>;
type AskedEffort = NonNullable<ChatRequest['reasoning_effort']>;

/**
 * Token limit if the caller sets none: this API requires one, the canonical format does not. It is the maximum
 * that every Claude model still in service accepts, and leaves room for thinking, which counts as well.
 */
const DEFAULT_MAX_TOKENS = 32_000;

/**
 * Thinking budgets of older models, in tokens. The API requires at least 1,024, and fewer than `max_tokens`.
 */
const BUDGET_OF_EFFORT: Readonly<Record<Effort, number>> = {
  low: 1024,
  medium: 4096,
  high: 12_288,
  xhigh: 24_576,
  max: 24_576,
};

/**
 * Converts a canonical request to one of the Messages API. https://platform.claude.com/docs/en/api/messages
 *
 * @param call `model` is the provider's own name of the model; the accepted parameters depend on its age
 * @param adjustments changes to the default temperature and token limit, which the host refused
 * @throws AppError `invalid_request` for content that the API format cannot carry
 */
export function toMessagesRequest(call: MessagesCall, adjustments: Adjustments = {}): AnthropicRequest {
  const { model } = call;
  const request = adjusted(call, adjustments);
  const { system, messages } = toAnthropicPrompt(request.messages);
  const { thinking, sampling } = generationFor(request, model);
  const outputConfig = outputConfigFor(request, model);
  if (messages.length === 0) {
    throw unsupportedContentError('The messages contain nothing for this model to answer.', 'messages');
  }
  const stop = stopSequencesOf(request).filter((text) => !isBlank(text));
  return {
    model,
    max_tokens: limitOf(request),
    stream: true,
    messages,
    ...(system.length > 0 && { system }),
    ...sampling,
    ...(thinking && { thinking }),
    ...(outputConfig && { output_config: outputConfig }),
    ...(stop.length > 0 && { stop_sequences: stop }),
    ...(typeof request.user === 'string' && { metadata: { user_id: request.user } }),
    ...toolsFor(request),
  };
}

/** Returns the names of hints in a request that `toMessagesRequest` omits or changes for a model. */
export function droppedParameters(request: ChatRequest, model: string): string[] {
  const { thinking, sampling } = generationFor(request, model);
  const { reasoning_effort: asked } = request;
  const thinks = asked === 'none' ? thinking?.type === 'disabled' : thinking !== undefined;
  const kept = !asked || (thinks && (asked === 'none' || effortOf(asked, model) === asked));
  return [
    ...(['temperature', 'top_p'] as const).filter(
      (name) => typeof request[name] === 'number' && sampling[name] === undefined,
    ),
    ...(kept ? [] : ['reasoning_effort']),
    ...(choosesNoTool(request) ? ['tool_choice'] : []),
    ...(stopSequencesOf(request).some(isBlank) ? ['stop'] : []),
  ];
}

/**
 * Returns the stop sequences. The API refuses blank ones ("each stop sequence must contain non-whitespace").
 */
function stopSequencesOf({ stop }: ChatRequest): readonly string[] {
  return typeof stop === 'string' ? [stop] : (stop ?? []);
}

function limitOf(request: ChatRequest): number {
  return request.max_completion_tokens ?? request.max_tokens ?? DEFAULT_MAX_TOKENS;
}

/**
 * Returns the parts of a request that depend on each other: a model that thinks accepts no sampling parameters.
 */
function generationFor(request: ChatRequest, model: string) {
  const thinking = thinkingFor(request, model);
  return { thinking, sampling: samplingFor(request, model, thinking) };
}

/**
 * Changes the server's own choices in a request: drops the default temperature if the host refuses it or the
 * caller sent a `top_p`, of which Claude accepts only one, and replaces the default token limit.
 */
function adjusted(
  { request, model, ownChoices = [] }: MessagesCall,
  { withoutTemperature, maxTokens }: Adjustments,
): ChatRequest {
  const limited =
    maxTokens !== undefined && hasDefaultLimit(request) ? { ...request, max_tokens: maxTokens } : request;
  const excluded = typeof request.top_p === 'number' && supportsOneSamplingParameter(model);
  if (!ownChoices.includes('temperature') || !(withoutTemperature || excluded)) return limited;
  const { temperature: _default, ...rest } = limited;
  return rest;
}

/** Returns true if the caller set no token limit. */
export function hasDefaultLimit({ max_completion_tokens: limit, max_tokens: older }: ChatRequest): boolean {
  return typeof limit !== 'number' && typeof older !== 'number';
}

/**
 * Returns the sampling parameters if the model accepts them, which none does while it thinks. They are hints,
 * so they are dropped otherwise.
 */
function samplingFor(
  { temperature, top_p }: ChatRequest,
  model: string,
  thinking: Anthropic.ThinkingConfigParam | undefined,
): { temperature?: number; top_p?: number } {
  if (!supportsSampling(model) || (thinking !== undefined && thinking.type !== 'disabled')) return {};
  if (typeof temperature !== 'number') return typeof top_p === 'number' ? { top_p } : {};
  return typeof top_p === 'number' && !supportsOneSamplingParameter(model)
    ? { temperature, top_p }
    : { temperature };
}

function effortOf(asked: AskedEffort, model: string): Effort | undefined {
  if (asked === 'none') return undefined;
  if (asked === 'minimal') return 'low';
  return asked === 'xhigh' && !supportsExtraHighEffort(model) ? 'high' : asked;
}

function thinkingFor(request: ChatRequest, model: string): Anthropic.ThinkingConfigParam | undefined {
  const { reasoning_effort: asked } = request;
  if (!asked) return undefined;
  const effort = effortOf(asked, model);
  if (effort === undefined) return { type: 'disabled' };
  // "Thinking may not be enabled when tool_choice forces tool use." The caller's forced call takes precedence.
  if (forcesTool(request)) return undefined;
  // Without `summarized`, current models stream nothing while they think, and a silent stream looks like a dead
  // one.
  if (thinkingModeOf(model) === 'adaptive') return { type: 'adaptive', display: 'summarized' };
  // With a budget the API refuses such a history: "When `thinking` is enabled, a final `assistant` message must
  // start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)". Adaptive
  // thinking does not. https://platform.claude.com/docs/en/build-with-claude/extended-thinking
  if (callsWithoutThinking(request.messages)) return undefined;
  const budget = Math.min(BUDGET_OF_EFFORT[effort], limitOf(request) - 1);
  return budget < BUDGET_OF_EFFORT.low ? undefined : { type: 'enabled', budget_tokens: budget };
}

function forcesTool({ tools, tool_choice: choice }: ChatRequest): boolean {
  return (tools ?? []).length > 0 && !!choice && choice !== 'auto' && choice !== 'none';
}

function outputConfigFor(request: ChatRequest, model: string): OutputConfig | undefined {
  const format = formatFor(request.response_format);
  const asked = thinkingModeOf(model) === 'adaptive' ? request.reasoning_effort : undefined;
  const effort = asked ? effortOf(asked, model) : undefined;
  if (format === undefined && effort === undefined) return undefined;
  return { ...(format && { format }), ...(effort && { effort }) };
}

/** Converts a response format. https://platform.claude.com/docs/en/build-with-claude/structured-outputs */
function formatFor(format: ChatRequest['response_format']): Anthropic.JSONOutputFormat | undefined {
  if (!format || format.type === 'text') return undefined;
  if (format.type === 'json_object') {
    throw unsupportedContentError(
      "This model does not support a 'response_format' of type 'json_object'. Use 'json_schema' with the expected schema.",
      'response_format',
    );
  }
  const { schema } = format.json_schema;
  if (schema === undefined) {
    throw unsupportedContentError(
      "This model requires 'response_format.json_schema.schema'.",
      'response_format',
    );
  }
  return { type: 'json_schema', schema };
}

/** Returns the tools and the tool choice. A choice without tools is meaningless, and the API refuses it. */
function toolsFor(request: ChatRequest): { tools?: Anthropic.Tool[]; tool_choice?: Anthropic.ToolChoice } {
  const tools = request.tools ?? [];
  if (tools.length === 0) return {};
  const choice = toolChoiceFor(request);
  return { tools: tools.map(toTool), ...(choice && { tool_choice: choice }) };
}

/** Returns true if a request forces a tool call without having tools. */
function choosesNoTool({ tools, tool_choice: choice }: ChatRequest): boolean {
  return (tools ?? []).length === 0 && !!choice && choice !== 'auto' && choice !== 'none';
}

function toTool(tool: NonNullable<ChatRequest['tools']>[number]): Anthropic.Tool {
  if (tool.type !== 'function') {
    throw unsupportedContentError(`This model does not support tools of type '${tool.type}'.`, 'tools');
  }
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
  throw unsupportedContentError(
    `This model does not support a 'tool_choice' of type '${choice.type}'.`,
    'tool_choice',
  );
}
