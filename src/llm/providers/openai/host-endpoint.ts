import type OpenAI from 'openai';
import type { Agent } from 'undici';
import { ProviderError, toHostError } from '../../port/index.js';
import { asErrorStatus, toHeaders } from '../../transport/head.js';
import {
  isSuccess,
  NoAnswerError,
  type Post,
  post,
  postWhole,
  type WholeResponse,
} from '../../transport/post.js';
import type { ResponseBody } from '../../transport/response-body.js';
import { HostRefusal } from './host-refusal.js';

/** Everything of a request but what is said in it. */
type Envelope = Pick<Post, 'origin' | 'path' | 'headers'>;

/** The routes that a host is asked on, below its base URL. */
export type HostPath = '/chat/completions' | '/embeddings' | '/models';

/** How a request is made. */
export interface Asking {
  readonly signal: AbortSignal;
  /** Takes the place of the client's own key. */
  readonly apiKey?: string | undefined;
}

/** Headers in which the SDK describes itself to its own vendor; it is not the one that sends these requests. */
const OF_THE_SDK = 'x-stainless-';

/**
 * A host that speaks OpenAI's API. The SDK says once where and with which headers; each request is then ours, because
 * making one with the SDK costs more than all that we do about it, and because the SDK reads only the answers and errors
 * that OpenAI itself would send.
 */
export class HostEndpoint {
  private readonly envelopes = new Map<HostPath, Promise<Envelope>>();

  constructor(
    private readonly client: OpenAI,
    private readonly agent: Agent,
  ) {}

  /**
   * Returns the body of a good answer. It must be read to its end, finished or abandoned.
   * @throws HostRefusal, ProviderError, NoAnswerError
   */
  async stream(path: HostPath, body: object, asking: Asking): Promise<ResponseBody> {
    const request = await this.requestOf(path, body, asking);
    const { status, headers, body: answer } = await post(this.agent, request);
    if (isSuccess(status)) return answer;
    const text = await answer.text().catch((error: unknown) => {
      answer.abandon();
      // What cannot be unpacked was an answer all the same, and its status says enough.
      if (error instanceof ProviderError) return '';
      throw new NoAnswerError(error);
    });
    throw toAnsweredError({ status, headers, text }, request);
  }

  /**
   * Returns the text of a good answer.
   * @param body undefined for a request that only reads
   * @throws HostRefusal, ProviderError, NoAnswerError
   */
  async whole(path: HostPath, body: object | undefined, asking: Asking): Promise<string> {
    const request = await this.requestOf(path, body, asking);
    const response = await postWhole(this.agent, request);
    if (isSuccess(response.status)) return response.text;
    throw toAnsweredError(response, request);
  }

  private async requestOf(
    path: HostPath,
    body: object | undefined,
    { signal, apiKey }: Asking,
  ): Promise<Post> {
    const known = this.envelopes.get(path) ?? envelopeOf(this.client, path, body);
    this.envelopes.set(path, known);
    const { headers: own, ...address } = await known;
    const headers = apiKey === undefined ? own : { ...own, authorization: `Bearer ${apiKey}` };
    return { ...address, headers, body: body && JSON.stringify(body), signal };
  }
}

/** Returns everything that the SDK would send, the client's credentials among it. */
async function envelopeOf(client: OpenAI, path: HostPath, body: object | undefined): Promise<Envelope> {
  const options = body === undefined ? ({ method: 'get' } as const) : ({ method: 'post', body: {} } as const);
  const { req, url } = await client.buildRequest({ ...options, path });
  const { origin, pathname, search } = new URL(url);
  const headers = [...new Headers(req.headers)].filter(([name]) => !name.startsWith(OF_THE_SDK));
  return { origin, path: pathname + search, headers: Object.fromEntries(headers) };
}

/** Returns the error of an answer. A refusal of the request itself keeps the host's words, in which it may name a field. */
function toAnsweredError({ status, headers, text }: WholeResponse, { headers: sent }: Post): Error {
  const secret = sent['authorization']?.replace(/^bearer /i, '');
  const error = toHostError({
    status: asErrorStatus(status),
    body: text,
    headers: toHeaders(headers),
    secret,
  });
  return error.kind === 'rejected' ? new HostRefusal(error, text) : error;
}
