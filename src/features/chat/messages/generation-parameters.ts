import { InvalidRequestError } from '../../../common/errors.js';
import type { ChatMessage, ModelCall } from '../../../llm/index.js';
import type { GenerationSpec } from '../model/turn.js';
import type { AnswerParameters } from '../model/answer-parameters.js';

/**
 * Merges the requested parameters over those of the previous answer. An inherited tool choice that no longer matches
 * the tools is dropped, because providers reject a choice without tools.
 * @throws InvalidRequestError if the requested choice forces a tool that is not among the tools
 */
export function mergeParameters(
  asked: AnswerParameters,
  before: AnswerParameters | undefined,
): AnswerParameters {
  const { tools, tool_choice: choice, response_format: format, ...rest } = { ...before, ...asked };
  const able = tools ?? [];
  const withTools = {
    ...rest,
    // Text is the default format; requesting it clears the format of the previous answer.
    ...(format && format.type !== 'text' && { response_format: format }),
    ...(able.length > 0 && { tools: able }),
  };
  if (choice === undefined) return withTools;
  if (canBeChosen(choice, able)) return able.length > 0 ? { ...withTools, tool_choice: choice } : withTools;
  if (asked.tool_choice !== undefined) throw noSuchTool();
  return withTools;
}

function canBeChosen(
  choice: NonNullable<AnswerParameters['tool_choice']>,
  tools: NonNullable<AnswerParameters['tools']>,
): boolean {
  if (choice === 'auto' || choice === 'none') return true;
  if (tools.length === 0) return false;
  if (choice === 'required' || choice.type !== 'function') return true;
  const { name } = choice.function;
  return tools.some((tool) => tool.type === 'function' && tool.function.name === name);
}

function noSuchTool(): InvalidRequestError {
  const message = 'requires a matching tool in the `tools` of the request';
  return new InvalidRequestError(`tool_choice ${message}.`, [{ field: 'tool_choice', message }]);
}

/**
 * Returns the parameters of an answer that continues after tool calls. A forced tool choice applies once, otherwise
 * the model would call tools forever.
 */
export function continuationParameters(before: AnswerParameters): AnswerParameters {
  const { tool_choice: choice, ...rest } = before;
  return choice === 'none' ? before : rest;
}

/** Parses the parameters in the row of an answer; they were validated when received. */
export function toAnswerParameters(stored: unknown): AnswerParameters {
  if (!isParameters(stored)) return {};
  // Rows from a few days in November 2026 contain the server's default in addition to the requested parameters.
  const { default_temperature: _default, ...parameters } = stored;
  return parameters;
}

function isParameters(
  value: unknown,
): value is AnswerParameters & { readonly default_temperature?: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Returns the model request of a turn, and which of its choices are ours rather than the caller's: always the
 * history, possibly the name of the token limit and a default temperature.
 */
export function toModelRequest(
  { parameters, defaultTemperature }: Pick<GenerationSpec, 'parameters' | 'defaultTemperature'>,
  messages: ChatMessage[],
): Pick<ModelCall, 'request' | 'serverDefaults'> {
  // A Chat Completions caller that sent `max_tokens` means that name; turns store the other one.
  const named = typeof parameters.max_tokens === 'number' ? [] : (['limit_name'] as const);
  const ownChoices = ['history', ...named] as const;
  if (defaultTemperature === undefined || typeof parameters.temperature === 'number') {
    return { request: { ...parameters, messages }, serverDefaults: ownChoices };
  }
  return {
    request: { ...parameters, temperature: defaultTemperature, messages },
    serverDefaults: [...ownChoices, 'temperature'],
  };
}
