import { InvalidRequestError } from '../../../common/errors.js';
import type { ChatMessage, ModelCall } from '../../../llm/index.js';
import type { GenerationSpec } from '../model/turn.js';
import type { AnswerParameters } from '../model/answer-parameters.js';

/**
 * What is asked for, and, where that says nothing, how the answer before was made. A choice of tools counts among the
 * tools that there are: providers refuse one without them.
 * @throws InvalidRequestError where a tool must be called that there is not
 */
export function parametersOver(
  asked: AnswerParameters,
  before: AnswerParameters | undefined,
): AnswerParameters {
  const { tools, tool_choice: choice, response_format: format, ...rest } = { ...before, ...asked };
  const able = tools ?? [];
  const withTools = {
    ...rest,
    // Text is what models write without being asked, and takes back what the answer before was asked for.
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
 * The parameters of an answer that goes on after calls of tools. Whoever forces a call forces one, or the model would
 * call for ever.
 */
export function parametersAfterTools(before: AnswerParameters): AnswerParameters {
  const { tool_choice: choice, ...rest } = before;
  return choice === 'none' ? before : rest;
}

/** The parameters as they stand in the row of an answer; they were checked when they came. */
export function toAnswerParameters(stored: unknown): AnswerParameters {
  if (!isParameters(stored)) return {};
  // Rows of some days in November 2026 hold the server's default beside what was asked for.
  const { default_temperature: _default, ...parameters } = stored;
  return parameters;
}

function isParameters(
  value: unknown,
): value is AnswerParameters & { readonly default_temperature?: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The request of a turn, and which of its choices are ours: the history always, a limit's name, and a default. */
export function toModelRequest(
  { parameters, defaultTemperature }: Pick<GenerationSpec, 'parameters' | 'defaultTemperature'>,
  messages: ChatMessage[],
): Pick<ModelCall, 'request' | 'ownChoices'> {
  // A caller of Chat Completions that said `max_tokens` means that name; turns keep the other one.
  const named = typeof parameters.max_tokens === 'number' ? [] : (['limit_name'] as const);
  const ownChoices = ['history', ...named] as const;
  if (defaultTemperature === undefined || typeof parameters.temperature === 'number') {
    return { request: { ...parameters, messages }, ownChoices };
  }
  return {
    request: { ...parameters, temperature: defaultTemperature, messages },
    ownChoices: [...ownChoices, 'temperature'],
  };
}
