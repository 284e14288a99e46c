import type OpenAI from 'openai';
import type { Agent } from 'undici';
import { abandonBody, type RawBody } from '../../transport/sdk-transport.js';
import { isSuccess, NoAnswerError, type Post, post, postWhole } from '../../transport/post.js';
import { toProviderErrorOfAnswer } from './openai-errors.js';

/** Everything of a request but what is said in it. */
type Envelope = Pick<Post, 'origin' | 'path' | 'headers'>;

/** How a request is made. */
export interface Asking {
  readonly signal: AbortSignal;
  /** Takes the place of the client's own key. */
  readonly apiKey: string | undefined;
}

/** Headers in which the SDK describes itself to its own vendor; it is not the one that sends these requests. */
const OF_THE_SDK = 'x-stainless-';

/**
 * Chat Completions of a host. The SDK says once where and with which headers; each request is then ours, because
 * making one with the SDK costs more than all that we do about it.
 */
export class ChatEndpoint {
  private envelope: Envelope | undefined;

  constructor(
    private readonly client: OpenAI,
    private readonly agent: Agent,
  ) {}

  /**
   * The body of a good answer. It must be read to its end or be left with `finishBody` or `abandonBody`.
   * @throws ProviderError, NoAnswerError
   */
  async stream(body: object, asking: Asking): Promise<RawBody> {
    const response = await post(this.agent, await this.requestOf(body, asking));
    if (isSuccess(response.statusCode)) return response.body;
    const text = await response.body.text().catch((error: unknown) => {
      abandonBody(response.body);
      throw new NoAnswerError(error);
    });
    throw toProviderErrorOfAnswer({ status: response.statusCode, headers: response.headers, text });
  }

  /**
   * The text of a good answer.
   * @throws ProviderError, NoAnswerError
   */
  async whole(body: object, asking: Asking): Promise<string> {
    const response = await postWhole(this.agent, await this.requestOf(body, asking));
    if (isSuccess(response.status)) return response.text;
    throw toProviderErrorOfAnswer(response);
  }

  private async requestOf(body: object, { signal, apiKey }: Asking): Promise<Post> {
    const { origin, path, headers: own } = (this.envelope ??= await envelopeOf(this.client));
    const headers = apiKey === undefined ? own : { ...own, authorization: `Bearer ${apiKey}` };
    return { origin, path, headers, body: JSON.stringify(body), signal };
  }
}

/** Everything that the SDK would send, the client's credentials among it. */
async function envelopeOf(client: OpenAI): Promise<Envelope> {
  const { req, url } = await client.buildRequest({ method: 'post', path: '/chat/completions', body: {} });
  const { origin, pathname, search } = new URL(url);
  const headers = [...new Headers(req.headers)].filter(([name]) => !name.startsWith(OF_THE_SDK));
  return { origin, path: pathname + search, headers: Object.fromEntries(headers) };
}
