import type { Operation } from './fuzz/operations.js';
import type { FuzzRequest } from './fuzz/raw-request.js';
import { propertiesOf } from './fuzz/values.js';
import { withQuery } from './fuzz/wrong.js';

/** Part of every planted secret, so that one search finds all of them. */
export const PLANTED = 'PlantedNobodyMayRead';

/** Fields with a value that must stay as it is, or the request is refused. */
const STRUCTURAL =
  /^(model|embedding_model|rerank|endpoint|completion_window|anchor|collections?|role|type|id|.*_ids?|version|status|finish_reason|created_at|expires_at|email|current_password|refresh_token|scopes?|events|from|to|.*_at|order|format|encoding_format|tool_choice|response_format)$/;

/** Secrets that a test recognizes by their position: where they were planted. */
export class Planter {
  private count = 0;

  /** Returns a new secret. */
  secret(): string {
    this.count += 1;
    return `${PLANTED}${String(this.count)}`;
  }

  /** Returns a valid request with secrets in all texts of its body, its optional fields and its headers. */
  valid(document: unknown, operation: Operation, request: FuzzRequest): FuzzRequest {
    return {
      ...request,
      headers: { ...request.headers, ...this.headers() },
      body: this.body(document, operation, request),
    };
  }

  /** Returns requests that are refused, each with secrets. */
  refused(
    operation: Operation,
    request: FuzzRequest,
  ): readonly (readonly [what: string, request: FuzzRequest])[] {
    const { headers, body } = request;
    const secret = this.secret();
    const withHeaders = (more: Readonly<Record<string, string>>): FuzzRequest => ({
      ...request,
      headers: { ...headers, ...this.headers(), ...more },
    });
    const withBody = (text: string): FuzzRequest => ({ ...request, body: Buffer.from(text) });
    const { authorization: _valid, ...anonymous } = headers;
    const fields: Readonly<Record<string, unknown>> = operation.body?.properties ?? {};
    const all = (value: unknown): string =>
      JSON.stringify(Object.fromEntries(Object.keys(fields).map((name) => [name, value])));
    const requests: readonly (readonly [what: string, request: FuzzRequest])[] = [
      ['a false token', withHeaders({ authorization: `Bearer ${secret}` })],
      ['a false key', { ...request, headers: { ...anonymous, 'x-api-key': `sk-parley-${secret}` } }],
      ['another scheme', withHeaders({ authorization: `Basic ${secret}` })],
      ['an unknown query', withQuery(request, `${secret}=${secret}&token=${secret}`)],
      ['another path', { ...request, path: `/api/v1/nothing?key=${secret}` }],
      ...(body === undefined || operation.fileField !== undefined
        ? []
        : ([
            ['half a body', withBody(`{"message":"${secret}","${secret}`)],
            ['no JSON', withBody(secret)],
            ['an unknown field', withBody(JSON.stringify({ [secret]: secret }))],
            ['wrong objects', withBody(all({ [secret]: secret }))],
            ['wrong lists', withBody(all([secret]))],
            ['wrong texts', withBody(all(secret))],
            [
              'an unknown model',
              withBody(body.toString().replace(/"model":"[^"]*"/, `"model":"openai/${secret}"`)),
            ],
          ] as const)),
      ...(operation.fileField === undefined
        ? []
        : ([['half a form', withBody(formWith(request, secret).toString('latin1').slice(0, -20))]] as const)),
    ];
    return requests;
  }

  private headers(): Record<string, string> {
    const secret = this.secret();
    return {
      cookie: `session=${secret}`,
      referer: `https://example.com/?token=${secret}`,
      'user-agent': secret,
      'x-anything': secret,
      'idempotency-key': this.secret(),
      'proxy-authorization': `Basic ${secret}`,
    };
  }

  private body(document: unknown, operation: Operation, request: FuzzRequest): Buffer | undefined {
    const { body } = request;
    if (operation.fileField !== undefined) return formWith(request, this.secret());
    if (body === undefined || operation.body === undefined) return body;
    const given: unknown = JSON.parse(body.toString());
    if (typeof given !== 'object' || given === null) return body;
    const optional = propertiesOf(document, operation.body)
      .filter(
        ([name, schema]) =>
          !(name in given) &&
          !STRUCTURAL.test(name) &&
          schema.type === 'string' &&
          (schema.enum ?? schema.format ?? schema.pattern) === undefined,
      )
      .map(([name]) => [name, this.secret()] as const);
    // A login needs the password of the account.
    const texts = operation.path.endsWith('/login') ? given : this.planted(given);
    return Buffer.from(JSON.stringify({ ...Object.fromEntries(optional), ...texts }));
  }

  /** Adds a secret to each text that the route does not interpret. */
  private planted(value: object): object {
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]: [string, unknown]) => [
        name,
        STRUCTURAL.test(name) ? inner : this.plantedValue(inner),
      ]),
    );
  }

  private plantedValue(value: unknown): unknown {
    if (typeof value === 'string') return `${value}-${this.secret()}`;
    if (Array.isArray(value)) return value.map((one: unknown) => this.plantedValue(one));
    return typeof value === 'object' && value !== null ? this.planted(value) : value;
  }
}

function formWith({ body }: FuzzRequest, secret: string): Buffer {
  const text = body?.toString('latin1') ?? '';
  return Buffer.from(text.replace('note.txt', `${secret}.txt`).replace('Hello', secret), 'latin1');
}

/** Names of fields of a response that hold a credential. */
const CREDENTIALS = new Set(['access_token', 'refresh_token', 'key', 'token', 'secret']);

/** Returns the credentials in the body of a response. */
export function credentialsIn(body: unknown): string[] {
  if (typeof body !== 'object' || body === null) return [];
  return Object.entries(body).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'string' && CREDENTIALS.has(name) ? [value] : credentialsIn(value),
  );
}
