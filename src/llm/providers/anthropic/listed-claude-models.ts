import {
  fieldOf,
  isErrorReport,
  type ListedModel,
  parseReply,
  textField,
  toCount,
  unreadableAnswer,
} from '../../port/index.js';
import { toProviderErrorInStream } from './anthropic-errors.js';

/** One page of a list of models. */
export interface ModelPage {
  readonly models: readonly ListedModel[];
  /** The id that the next page begins after; undefined for the last page. */
  readonly nextAfter: string | undefined;
}

/**
 * Reads a response of `GET /v1/models`. https://platform.claude.com/docs/en/api/models/list
 * @throws ProviderError for an error with a success status, and for a value that is not a list
 */
export function readModelPage(text: string): ModelPage {
  const value = parseReply(text);
  if (isErrorReport(value)) throw toProviderErrorInStream(value);
  const data = Array.isArray(value) ? value : fieldOf(value, 'data');
  if (!Array.isArray(data)) throw unreadableAnswer('it is not a list of models');
  const models = data.map(toListedModel).filter((model) => model !== undefined);
  const nextAfter = fieldOf(value, 'has_more') === true ? textField(value, 'last_id') : undefined;
  return { models, nextAfter };
}

/** Converts an entry. Hosts that copy the API format may omit the context window. */
function toListedModel(model: unknown): ListedModel | undefined {
  const id = textField(model, 'id');
  if (id === undefined || id === '') return undefined;
  const contextWindow = toCount(fieldOf(model, 'max_input_tokens')) ?? 0;
  return { id, ...(contextWindow > 0 && { contextWindow }) };
}
