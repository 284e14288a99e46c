import { InvalidRequestError } from '../../../common/errors.js';
import type { InputFault } from '../model/batch.js';
import type { InputLine, ParseLine } from '../model/input-line.js';

/** The requests in the body of a submission. */
export type SubmittedRequests =
  { readonly texts: readonly string[] } | { readonly requests: readonly unknown[] };

/** A request of a submission, with its number from 1. */
export interface SubmittedLine extends InputLine {
  readonly number: number;
}

/**
 * Yields the requests of a submission one by one, so that the caller can pause between two of them.
 * @throws InvalidRequestError that names the place of a fault, or both places of a `custom_id` that occurs twice
 */
export function* readSubmittedRequests(
  submitted: SubmittedRequests,
  parse: ParseLine,
): Generator<SubmittedLine> {
  const isTexts = 'texts' in submitted;
  const entries = isTexts ? submitted.texts.map((text) => ({ text })) : submitted.requests;
  const list = isTexts ? 'texts' : 'requests';
  const places = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const parsed = parse(entry, index + 1);
    if ('fault' in parsed) throw faultError(parsed.fault, isTexts, `${list}.${index}`);
    const { customId } = parsed.line;
    const first = places.get(customId);
    if (first !== undefined) throw duplicateError(`${list}.${index}`, `${list}.${first}`, customId);
    places.set(customId, index);
    yield { ...parsed.line, number: index + 1 };
  }
}

function faultError(
  { message, param }: Omit<InputFault, 'line'>,
  isTexts: boolean,
  place: string,
): InvalidRequestError {
  const sentence = message.replace(/\.$/, '');
  if (param === null || !sentence.startsWith(param)) return refused(place, `${place}: ${sentence}`);
  // A list of texts has no fields of single requests: what is wrong with them is a shared field.
  if (isTexts) {
    const field = param === 'text' ? place : param;
    return refused(field, field + sentence.slice(param.length));
  }
  return refused(`${place}.${param}`, `${place}.${sentence}`);
}

function duplicateError(place: string, first: string, customId: string): InvalidRequestError {
  return refused(
    `${place}.custom_id`,
    `${place}.custom_id is '${customId}', as is ${first}.custom_id; each request needs another one`,
  );
}

function refused(field: string, message: string): InvalidRequestError {
  return new InvalidRequestError(`${message}.`, [{ field, message }]);
}
