import { type Agent, request } from 'undici';
import { type AgentOptions, createAgent } from './agent.js';
import { ACCEPT_ENCODING } from './content-coding.js';
import { toErrorStatus, toHeaders } from './response-headers.js';
import { isSuccess } from './post.js';
import { ResponseBody } from './response-body.js';

/**
 * Sends the requests of an official SDK with undici's own API, and leaves the body of a successful response
 * raw. The built-in `fetch` wraps every body in a web stream, which costs more than all other processing of an
 * event.
 */
export class SdkTransport {
  /** For requests that are sent without the SDK: they share its connections. */
  readonly agent: Agent;
  private readonly bodies = new WeakMap<Response, ResponseBody>();

  constructor(options: AgentOptions) {
    this.agent = createAgent(options);
  }

  /**
   * `fetch` for calls whose successful responses are read with `take`. Only unsuccessful responses have a body
   * here.
   */
  readonly fetchRaw = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const answer = await request(input instanceof Request ? input.url : input, {
      dispatcher: this.agent,
      method: init.method === 'GET' ? 'GET' : 'POST',
      headers: {
        ...ACCEPT_ENCODING,
        ...Object.fromEntries(init.headers instanceof Headers ? init.headers : new Headers(init.headers)),
      },
      ...(typeof init.body === 'string' && { body: init.body }),
      ...(init.signal && { signal: init.signal }),
    });
    const { statusCode: status } = answer;
    const body = new ResponseBody(answer);
    if (!isSuccess(status)) {
      const headers = toHeaders(answer.headers);
      // The text is decompressed here, so its length differs.
      headers.delete('content-encoding');
      headers.delete('content-length');
      return new Response(await body.text(), { status: toErrorStatus(status), headers });
    }
    // No caller reads the headers of a successful response, and copying them costs more than the rest of this
    // function.
    const response = new Response();
    this.bodies.set(response, body);
    return response;
  };

  /** Returns the body of a successful response. It must be read to its end, finished or abandoned. */
  takeBody(response: Response): ResponseBody {
    const body = this.bodies.get(response);
    if (body === undefined) throw new Error('Only a good answer has a raw body, and only once.');
    this.bodies.delete(response);
    return body;
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }
}
