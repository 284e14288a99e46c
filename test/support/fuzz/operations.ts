import { at, listAt } from '../client.js';
import { readSchema, type Schema } from './schema.js';

/** The API format of a route's errors. */
export type ApiFormat = 'own' | 'anthropic' | 'ollama';

/** A value in a request besides its body. */
export interface Parameter {
  readonly name: string;
  readonly place: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Schema;
}

/** A route in the OpenAPI document. */
export interface Operation {
  /** `post /api/v1/chat`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Schema of the JSON body, or undefined if the route has none. */
  readonly body: Schema | undefined;
  /** The form field for the file, or undefined if the route takes no form. */
  readonly fileField: string | undefined;
  /** True if the route takes a form, alone or besides JSON. */
  readonly takesForm: boolean;
  /** The text fields that the form requires, with a valid value of each. */
  readonly textFields: readonly (readonly [name: string, value: string])[];
  /** Responses by status. */
  readonly responses: Readonly<Record<string, unknown>>;
  /** True if the route requires credentials. */
  readonly closed: boolean;
  readonly apiFormat: ApiFormat;
  /** True if the route implements another vendor's API, in which unknown fields are forwarded. */
  readonly compatible: boolean;
  /** Headers of every request to it, besides credentials. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The header that selects Anthropic's API format on a path common to two formats. */
const ANTHROPIC_VERSION = { 'anthropic-version': '2023-06-01' };

/**
 * Paths that the document describes once, in OpenAI's format; with an `anthropic-version` header they use
 * Anthropic's.
 */
const SHARED_PATHS = new Set(['/v1/models', '/v1/models/{model}']);

/** Returns every operation of an OpenAPI document, in order. */
export function operationsOf(document: unknown): Operation[] {
  return entriesOf(at(document, 'paths')).flatMap(([path, item]) =>
    entriesOf(item).map(([method, operation]) => ({
      name: `${method} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters: parametersOf(document, operation),
      body: bodyOf(document, operation),
      fileField: fileFieldOf(operation),
      takesForm: formOf(operation) !== undefined,
      textFields: textFieldsOf(operation),
      responses: Object.fromEntries(entriesOf(at(operation, 'responses'))),
      closed: at(operation, 'security') === undefined,
      apiFormat: apiFormatOf(path),
      // An import is checked like those: for NUL and similar before its fields are known.
      compatible: /^\/(v1|ollama)\/|\/import$/.test(path),
      headers: {},
    })),
  );
}

/** Returns the same routes in an API format that the document does not describe for them. */
export function undescribed(operations: readonly Operation[]): Operation[] {
  return operations
    .filter(({ path }) => SHARED_PATHS.has(path))
    .map((operation) => ({
      ...operation,
      name: `${operation.name} as Anthropic`,
      // Other tests check successful responses in this format.
      responses: { ...operation.responses, 200: { content: { 'application/json': { schema: OPEN } } } },
      apiFormat: 'anthropic' as const,
      headers: ANTHROPIC_VERSION,
    }));
}

const OPEN = { type: 'object', additionalProperties: true };

function apiFormatOf(path: string): ApiFormat {
  if (path.startsWith('/ollama/')) return 'ollama';
  return /^\/v1\/messages(\/|$)/.test(path) ? 'anthropic' : 'own';
}

function parametersOf(document: unknown, operation: unknown): Parameter[] {
  const parameters = at(operation, 'parameters') === undefined ? [] : listAt(operation, 'parameters');
  return parameters.map((parameter) => ({
    name: String(at(parameter, 'name')),
    place: placeOf(parameter),
    required: at(parameter, 'required') === true,
    schema: readSchema(document, at(parameter, 'schema')),
  }));
}

function placeOf(parameter: unknown): Parameter['place'] {
  const place = at(parameter, 'in');
  if (place === 'path' || place === 'query' || place === 'header') return place;
  throw new Error(`The run does not know parameters in ${String(place)}.`);
}

function bodyOf(document: unknown, operation: unknown): Schema | undefined {
  const body = at(operation, 'requestBody');
  if (body === undefined || fileFieldOf(operation) !== undefined) return undefined;
  const schema = at(body, 'content', 'application/json', 'schema');
  // Skipping it silently would be worse than failing: another kind of body needs its own values here.
  if (schema === undefined) throw new Error(`A body is not JSON: ${JSON.stringify(at(body, 'content'))}`);
  return readSchema(document, schema);
}

/** Returns the schema of the form that a route takes. */
function formOf(operation: unknown): unknown {
  return at(operation, 'requestBody', 'content', 'multipart/form-data', 'schema');
}

function textFieldsOf(operation: unknown): [string, string][] {
  const form = formOf(operation);
  const required = new Set(entriesOf(at(form, 'required')).map(([, name]) => name));
  return entriesOf(at(form, 'properties'))
    .filter(([name]) => required.has(name) && name !== fileFieldOf(operation))
    .map(([name, schema]) => [name, textOf(at(schema, 'enum', 0))]);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'text';
}

/** Returns undefined for a route that takes JSON as well: the run sends that. */
function fileFieldOf(operation: unknown): string | undefined {
  if (at(operation, 'requestBody', 'content', 'application/json') !== undefined) return undefined;
  const form = formOf(operation);
  return entriesOf(at(form, 'properties')).find(([, schema]) => at(schema, 'format') === 'binary')?.[0];
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
