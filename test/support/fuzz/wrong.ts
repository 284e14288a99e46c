import fc from 'fast-check';
import type { Draft, Expectation } from './draft.js';
import type { Operation } from './operations.js';
import type { FuzzRequest } from './raw-request.js';
import { fieldViolationsOf, textViolationsOf } from './violations.js';

/** Generates requests with exactly one mistake. Returns nothing for a route without any input. */
export function wrongDrafts(document: unknown, operation: Operation, good: Draft): fc.Arbitrary<Draft>[] {
  return [
    ...wrongParameters(operation, good),
    ...wrongFields(document, operation, good),
    ...(operation.body === undefined ? [] : [wrongBody(operation, good)]),
    ...(operation.closed ? [wrongCredential(good)] : []),
  ];
}

function wrongParameters(operation: Operation, good: Draft): fc.Arbitrary<Draft>[] {
  const found = operation.parameters.flatMap(({ name, place, schema }) =>
    textViolationsOf(schema).map(({ what, values }) =>
      // An empty value would remove the path segment.
      values
        .filter((value) => place !== 'path' || value !== '')
        .map((value) => ({
          ...good,
          label: `${name} ${what}`,
          parameters: { ...good.parameters, [name]: value },
          expected: refusal(operation, name),
        })),
    ),
  );
  const takesQuery = operation.parameters.some(({ place }) => place === 'query');
  return takesQuery ? [...found, unknownParameter(operation, good)] : found;
}

function unknownParameter(operation: Operation, good: Draft): fc.Arbitrary<Draft> {
  return fc.string().map((value) => ({
    ...good,
    label: 'color is no parameter',
    alter: (request: FuzzRequest) => withQuery(request, `color=${encodeURIComponent(value)}`),
    expected: refusal(operation, 'color'),
  }));
}

/** Returns a request with another query parameter. */
export function withQuery(request: FuzzRequest, query: string): FuzzRequest {
  return { ...request, path: `${request.path}${request.path.includes('?') ? '&' : '?'}${query}` };
}

function wrongFields(document: unknown, operation: Operation, good: Draft): fc.Arbitrary<Draft>[] {
  const { body, compatible } = operation;
  if (body === undefined) return [];
  return fieldViolationsOf(document, body, !compatible).map(({ field, what, values }) =>
    values.map((value) => ({
      ...good,
      label: `${field} ${what}`,
      body: { ...Object(good.body), [field]: value } as object,
      expected: refusal(operation, field),
    })),
  );
}

function wrongBody(operation: Operation, good: Draft): fc.Arbitrary<Draft> {
  return fc
    .constantFrom<unknown>([], [{}], 'text', '', 5, true, null)
    .map((body) => ({ ...good, label: 'the body is no object', body, expected: refusal(operation) }));
}

function wrongCredential(good: Draft): fc.Arbitrary<Draft> {
  return fc.constantFrom('not.a.token', 'pk_0000000000000000', 'null').map((credential) => ({
    ...good,
    label: 'a wrong credential',
    credential,
    expected: { statuses: [401] },
  }));
}

/** Returns the expected refusal: a compatible API may forward values that only its provider checks. */
function refusal({ compatible }: Operation, field?: string): Expectation {
  return compatible ? {} : { statuses: [400], ...(field !== undefined && { field }) };
}
