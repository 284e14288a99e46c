import type OpenAI from 'openai';
import type { Agent } from 'undici';
import { ProviderError, toHostError } from '../../port/index.js';
import { toErrorStatus, toHeaders } from '../../transport/response-headers.js';
import {
  isSuccess,
  NoResponseError,
  type ProviderRequest,
  sendStreaming,
  sendBuffered,
  type BufferedResponse,
} from '../../transport/post.js';
import type { ResponseBody } from '../../transport/response-body.js';
import { HostRefusal } from './host-refusal.js';

/** All of a request except its body. */
type Envelope = Pick<ProviderRequest, 'origin' | 'path' | 'headers'>;

/** The routes of a host, below its base URL. */
export type HostPath = '/chat/completions' | '/embeddings' | '/models';

/** Options of a request. */
export interface RequestOptions {
  readonly signal: AbortSignal;
  /** Replaces the client's own key. */
  readonly apiKey?: string | undefined;
}

/**
 * Prefix of the headers in which the SDK describes itself to its own vendor; the SDK does not send these
 * requests.
 */
const OF_THE_SDK = 'x-stainless-';

/**
 * A host that uses OpenAI's API. The SDK determines the address and headers of each route once. We send the
 * requests ourselves, because building one with the SDK costs more than all our own work on it, and because the
 * SDK reads only the answers and errors that OpenAI itself would send.
 */
export class HostEndpoint {
  private readonly envelopes = new Map<HostPath, Promise<Envelope>>();

  constructor(
    private readonly client: OpenAI,
    private readonly agent: Agent,
  ) {}

  /**
   * Sends a request and returns the body of a successful response. The body must be read to its end, finished
   * or abandoned.
   * @throws HostRefusal, ProviderError, NoAnswerError
   */
  async stream(path: HostPath, body: object, asking: RequestOptions): Promise<ResponseBody> {
    const request = await this.requestOf(path, body, asking);
    const { status, headers, body: answer } = await sendStreaming(this.agent, request);
    if (isSuccess(status)) return answer;
    const text = await answer.text().catch((error: unknown) => {
      answer.abandon();
      // A body that cannot be decompressed is still a response, and its status is sufficient.
      if (error instanceof ProviderError) return '';
      throw new NoResponseError(error);
    });
    throw toAnsweredError({ status, headers, text }, request);
  }

  /**
   * Sends a request and returns the text of a successful response.
   * @param body undefined for a GET request
   * @throws HostRefusal, ProviderError, NoAnswerError
   */
  async whole(path: HostPath, body: object | undefined, asking: RequestOptions): Promise<string> {
    const request = await this.requestOf(path, body, asking);
    const response = await sendBuffered(this.agent, request);
    if (isSuccess(response.status)) return response.text;
    throw toAnsweredError(response, request);
  }

  private async requestOf(
    path: HostPath,
    body: object | undefined,
    { signal, apiKey }: RequestOptions,
  ): Promise<ProviderRequest> {
    let known = this.envelopes.get(path);
    if (known === undefined) {
      known = envelopeOf(this.client, path, body);
      this.envelopes.set(path, known);
    }
    const { headers: own, ...address } = await known;
    const headers = apiKey === undefined ? own : { ...own, authorization: `Bearer ${apiKey}` };
    return { ...address, headers, body: body && JSON.stringify(body), signal };
  }
}

/** Returns all that the SDK would send except the body, including the client's credentials. */
async function envelopeOf(client: OpenAI, path: HostPath, body: object | undefined): Promise<Envelope> {
  const options = body === undefined ? ({ method: 'get' } as const) : ({ method: 'post', body: {} } as const);
  const { req, url } = await client.buildRequest({ ...options, path });
  const { origin, pathname, search } = new URL(url);
  const headers = [...new Headers(req.headers)].filter(([name]) => !name.startsWith(OF_THE_SDK));
  return { origin, path: pathname + search, headers: Object.fromEntries(headers) };
}

/**
 * Converts an error response. If the request itself was refused, the error keeps the host's text, which may
 * name a field.
 */
function toAnsweredError(
  { status, headers, text }: BufferedResponse,
  { headers: sent }: ProviderRequest,
): Error {
  const secret = sent['authorization']?.replace(/^bearer /i, '');
  const error = toHostError({
    status: toErrorStatus(status),
    body: text,
    headers: toHeaders(headers),
    secret,
  });
  return error.kind === 'rejected' ? new HostRefusal(error, text) : error;
}
