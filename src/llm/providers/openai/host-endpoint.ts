import type OpenAI from 'openai';
import type { Agent } from 'undici';
import { abandonBody, type RawBody } from '../../transport/sdk-transport.js';
import {
  isSuccess,
  NoAnswerError,
  type Post,
  post,
  postWhole,
  type WholeResponse,
} from '../../transport/post.js';
import { HostRefusal } from './host-refusal.js';
import { toProviderErrorOfAnswer } from './openai-errors.js';

/** Everything of a request but what is said in it. */
type Envelope = Pick<Post, 'origin' | 'path' | 'headers'>;

/** The routes that a host is asked on, below its base URL. */
export type HostPath = '/chat/completions' | '/embeddings';

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
 * making one with the SDK costs more than all that we do about it.
 */
export class HostEndpoint {
  private readonly envelopes = new Map<HostPath, Promise<Envelope>>();

  constructor(
    private readonly client: OpenAI,
    private readonly agent: Agent,
  ) {}

  /**
   * The body of a good answer. It must be read to its end or be left with `finishBody` or `abandonBody`.
   * @throws HostRefusal, ProviderError, NoAnswerError
   */
  async stream(path: HostPath, body: object, asking: Asking): Promise<RawBody> {
    const response = await post(this.agent, await this.requestOf(path, body, asking));
    if (isSuccess(response.statusCode)) return response.body;
    const text = await response.body.text().catch((error: unknown) => {
      abandonBody(response.body);
      throw new NoAnswerError(error);
    });
    throw toFailure({ status: response.statusCode, headers: response.headers, text });
  }

  /**
   * The text of a good answer.
   * @throws HostRefusal, ProviderError, NoAnswerError
   */
  async whole(path: HostPath, body: object, asking: Asking): Promise<string> {
    const response = await postWhole(this.agent, await this.requestOf(path, body, asking));
    if (isSuccess(response.status)) return response.text;
    throw toFailure(response);
  }

  private async requestOf(path: HostPath, body: object, { signal, apiKey }: Asking): Promise<Post> {
    const known = this.envelopes.get(path) ?? envelopeOf(this.client, path);
    this.envelopes.set(path, known);
    const { headers: own, ...address } = await known;
    const headers = apiKey === undefined ? own : { ...own, authorization: `Bearer ${apiKey}` };
    return { ...address, headers, body: JSON.stringify(body), signal };
  }
}

/** A refusal of the request itself keeps the host's words, in which it may name what it does not take. */
function toFailure(response: WholeResponse): Error {
  const error = toProviderErrorOfAnswer(response);
  return error.kind === 'rejected' ? new HostRefusal(error, response.text) : error;
}

/** Everything that the SDK would send, the client's credentials among it. */
async function envelopeOf(client: OpenAI, path: HostPath): Promise<Envelope> {
  const { req, url } = await client.buildRequest({ method: 'post', path, body: {} });
  const { origin, pathname, search } = new URL(url);
  const headers = [...new Headers(req.headers)].filter(([name]) => !name.startsWith(OF_THE_SDK));
  return { origin, path: pathname + search, headers: Object.fromEntries(headers) };
}
