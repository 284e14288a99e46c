import fc from 'fast-check';
import type { Operation, Parameter } from './operations.js';
import { FORM_TYPE, formWith } from './forms.js';
import type { FuzzRequest } from './raw-request.js';
import { Seed, type Seeds, type FuzzWorld } from './seeds.js';
import { valuesOf, propertiesOf } from './values.js';

/** The requirements for a response besides not being an internal failure. */
export interface Expectation {
  /** The allowed statuses; by default a success or a documented error. */
  readonly statuses?: readonly number[];
  /** The field that the error must name. */
  readonly field?: string;
  /** The request may be refused before its route is reached. */
  readonly hostile?: boolean;
  /** The request may reach another route, whose success is not checked. */
  readonly astray?: boolean;
}

/** A request whose seeds have not been replaced by existing resources yet. */
export interface Draft {
  readonly label: string;
  /** Parameters by name. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Undefined for no body; its fields may be seeds. */
  readonly body?: unknown;
  /** A credential that is sent instead of a valid one. */
  readonly credential?: string;
  /** Changes the request before it is sent. */
  readonly alter?: (request: FuzzRequest) => FuzzRequest;
  readonly expected: Expectation;
}

/** Optional fields of which a request needs one, by operation: the schema cannot say so. */
const NEEDED_FIELDS: Readonly<Record<string, string>> = {
  'post /api/v1/batch': 'texts',
  'post /api/v1/rag/collections/{collection}/documents': 'text',
  'put /api/v1/rag/collections/{collection}/documents/{id}': 'text',
};

/** Returns a request that is valid for its route, given its seeds. */
export function goodDraft(document: unknown, operation: Operation, seeds: Seeds): Draft {
  const sample = (field: string, values: fc.Arbitrary<unknown>) =>
    seeds[field]?.[0] ?? fc.sample(values, { seed: 1, numRuns: 1 })[0];
  const parameters = operation.parameters
    .filter(({ required }) => required)
    .map(({ name, schema }) => [name, sample(name, valuesOf(document, schema))] as const);
  const { body } = operation;
  const fields = body === undefined ? [] : propertiesOf(document, body);
  const needed = fields
    .filter(([name]) => body?.required?.includes(name) === true || NEEDED_FIELDS[operation.name] === name)
    .map(([name, schema]) => [name, sample(name, valuesOf(document, schema))] as const);
  return {
    label: 'good',
    parameters: Object.fromEntries(parameters),
    ...(body !== undefined && { body: Object.fromEntries(needed) }),
    expected: {},
  };
}

/** Generates requests that match the schemas, mostly with real values for fields with seeds. */
export function validDrafts(document: unknown, operation: Operation, seeds: Seeds): fc.Arbitrary<Draft> {
  const known = (field: string, values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => {
    const real = seeds[field];
    if (real === undefined) return values;
    return fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...real) }, { weight: 1, arbitrary: values });
  };
  const { parameters, body } = operation;
  const texts = ({ place, schema }: Parameter) =>
    // A path without its segment is another path.
    valuesOf(document, schema).filter((value) => place !== 'path' || value !== '');
  const given = fc.record(
    Object.fromEntries(
      parameters.map((parameter) => [parameter.name, known(parameter.name, texts(parameter))]),
    ),
    { requiredKeys: parameters.filter(({ required }) => required).map(({ name }) => name) },
  );
  return fc.record({
    label: fc.constant('valid'),
    parameters: given,
    body: body === undefined ? fc.constant(undefined) : validBodies(document, operation, known),
    expected: fc.constant({}),
  });
}

function validBodies(
  document: unknown,
  { body = {}, compatible }: Operation,
  known: (field: string, values: fc.Arbitrary<unknown>) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const fields = propertiesOf(document, body);
  const model = fields.map(([name, schema]) => [name, known(name, valuesOf(document, schema, 1))] as const);
  // A field that the other vendor's API may have added since.
  const novelty = compatible ? [['novelty', fc.jsonValue({ maxDepth: 2 })] as const] : [];
  return fc.record(Object.fromEntries([...model, ...novelty]), {
    requiredKeys: [...(body.required ?? [])],
    noNullPrototype: true,
  });
}

/** Builds the request of a draft with real values for its seeds. */
export async function assemble(operation: Operation, draft: Draft, world: FuzzWorld): Promise<FuzzRequest> {
  const parameters = await real(draft.parameters, world);
  const body = isFields(draft.body) ? await real(draft.body, world) : draft.body;
  const credential =
    draft.credential ?? (operation.closed ? (await world.actorOf(operation)).token : undefined);
  const { fileField } = operation;
  const request = {
    method: operation.method,
    path: pathOf(operation, parameters),
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(fileField !== undefined && { 'content-type': FORM_TYPE }),
      ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
      ...operation.headers,
      ...headersOf(operation.parameters, parameters),
      'x-forwarded-for': world.nextAddress(),
    },
    body: fileField === undefined ? jsonOf(body) : formWith(fileField, operation.textFields),
  };
  return draft.alter?.(request) ?? request;
}

function jsonOf(body: unknown): Buffer | undefined {
  return body === undefined ? undefined : Buffer.from(JSON.stringify(body));
}

function pathOf({ path, parameters }: Operation, values: Readonly<Record<string, unknown>>): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name])));
  const query = parameters
    .filter(({ place, name }) => place === 'query' && values[name] !== undefined)
    .map(({ name }) => `${encodeURIComponent(name)}=${encodeURIComponent(String(values[name]))}`);
  return query.length === 0 ? filled : `${filled}?${query.join('&')}`;
}

function headersOf(
  parameters: readonly Parameter[],
  values: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const headers = parameters.filter(({ place, name }) => place === 'header' && values[name] !== undefined);
  // HTTP clients send no other characters in a header.
  const text = (value: unknown): string => String(value).replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?');
  return Object.fromEntries(headers.map(({ name }) => [name, text(values[name])]));
}

async function real(fields: object, world: FuzzWorld): Promise<Record<string, unknown>> {
  const filled: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields))
    filled[name] = value instanceof Seed ? await value.give(world) : value;
  return filled;
}

function isFields(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
