import { at, listAt } from '../client.js';
import { readSchema, type Schema } from './schema.js';

/** In which shape a route tells errors. */
export type Wire = 'own' | 'anthropic' | 'ollama';

/** A value that a request carries beside its body. */
export interface Parameter {
  readonly name: string;
  readonly place: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Schema;
}

/** A route as the OpenAPI document has it. */
export interface Operation {
  /** `post /api/v1/chat`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Of a JSON body; undefined where the route takes none. */
  readonly body: Schema | undefined;
  /** The field of a form that its file stands in; undefined where the route takes no form. */
  readonly fileField: string | undefined;
  /** By status. */
  readonly responses: Readonly<Record<string, unknown>>;
  /** Whether it needs credentials. */
  readonly closed: boolean;
  readonly wire: Wire;
  /** Whether it is of somebody else's interface, where fields that we do not know pass through. */
  readonly compatible: boolean;
  /** What every request of it carries, besides credentials. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a client sends to speak Anthropic's wire where two wires share a path. */
const ANTHROPIC_VERSION = { 'anthropic-version': '2023-06-01' };

/** Paths that the document describes once, for OpenAI's wire; whoever names a version gets them in Anthropic's. */
const SHARED_PATHS = new Set(['/v1/models', '/v1/models/{model}']);

/** Every operation of an OpenAPI document, in its order. */
export function operationsOf(document: unknown): Operation[] {
  return entriesOf(at(document, 'paths')).flatMap(([path, item]) =>
    entriesOf(item).map(([method, operation]) => ({
      name: `${method} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters: parametersOf(document, operation),
      body: bodyOf(document, operation),
      fileField: fileFieldOf(operation),
      responses: Object.fromEntries(entriesOf(at(operation, 'responses'))),
      closed: at(operation, 'security') === undefined,
      wire: wireOf(path),
      // An import is looked at as those are: for NUL and the like before its fields are known.
      compatible: /^\/(v1|ollama)\/|\/import$/.test(path),
      headers: {},
    })),
  );
}

/** The same routes as they answer on a wire that the document does not describe for them. */
export function undescribed(operations: readonly Operation[]): Operation[] {
  return operations
    .filter(({ path }) => SHARED_PATHS.has(path))
    .map((operation) => ({
      ...operation,
      name: `${operation.name} as Anthropic`,
      // What a good answer looks like there, other tests know.
      responses: { ...operation.responses, 200: { content: { 'application/json': { schema: OPEN } } } },
      wire: 'anthropic' as const,
      headers: ANTHROPIC_VERSION,
    }));
}

const OPEN = { type: 'object', additionalProperties: true };

function wireOf(path: string): Wire {
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
  // Skipping it in silence would be worse than failing: another kind of body needs values of its own here.
  if (schema === undefined) throw new Error(`A body is not JSON: ${JSON.stringify(at(body, 'content'))}`);
  return readSchema(document, schema);
}

function fileFieldOf(operation: unknown): string | undefined {
  const form = at(operation, 'requestBody', 'content', 'multipart/form-data', 'schema');
  return entriesOf(at(form, 'properties')).find(([, schema]) => at(schema, 'format') === 'binary')?.[0];
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
