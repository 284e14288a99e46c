import {
  getField,
  isErrorReport,
  type ListedModel,
  parseReply,
  getStringField,
  parseReplyCount,
  invalidResponseError,
} from '../../port/index.js';
import { toAnthropicStreamError } from './anthropic-errors.js';

/** One page of a list of models. */
export interface ClaudeModelPage {
  readonly models: readonly ListedModel[];
  /** The id that the next page begins after; undefined for the last page. */
  readonly nextAfter: string | undefined;
}

/**
 * Reads a response of `GET /v1/models`. https://platform.claude.com/docs/en/api/models/list
 * @throws ProviderError for an error with a success status, and for a value that is not a list
 */
export function readModelPage(text: string): ClaudeModelPage {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toAnthropicStreamError(value);
  const data = Array.isArray(value) ? value : getField(value, 'data');
  if (!Array.isArray(data)) throw invalidResponseError('it is not a list of models');
  const models = data.map(toListedModel).filter((model) => model !== undefined);
  const nextAfter = getField(value, 'has_more') === true ? getStringField(value, 'last_id') : undefined;
  return { models, nextAfter };
}

/** Converts an entry. Hosts that copy the API format may omit the context window. */
function toListedModel(model: unknown): ListedModel | undefined {
  const id = getStringField(model, 'id');
  if (id === undefined || id === '') return undefined;
  const contextWindow = parseReplyCount(getField(model, 'max_input_tokens')) ?? 0;
  return { id, ...(contextWindow > 0 && { contextWindow }) };
}
