import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../../../../src/config/index.js';
import { setUpApi, setUpUser } from '../../../../support/set-up.js';

type Fetch = typeof globalThis.fetch;

/** The function `ask` of docs/api-guide.md. */
type Ask = (url: string, token: string, body: object, onText: (text: string) => void) => Promise<string>;

/** Compiles the example with another `fetch` and without its delays. */
function compileExample(fetch: Fetch): Ask {
  const guide = readFileSync(join(PACKAGE_ROOT, 'docs/api-guide.md'), 'utf8');
  const [, code] = /^```js\n(async function ask\(.*?^\})$/ms.exec(guide) ?? [];
  if (code === undefined) throw new Error('docs/api-guide.md has no function `ask`.');
  const create = runInThisContext(`(fetch, setTimeout) => ${code}`) as (
    fetch: Fetch,
    wait: typeof setImmediate,
  ) => Ask;
  return create(fetch, setImmediate);
}

/** Fetches, and cuts the body of each of the first responses after the given number of bytes. */
function cuttingFetch(cuts: number[], requests: string[]): Fetch {
  return async (input, init) => {
    requests.push(`${init?.method ?? 'GET'} ${new Headers(init?.headers).get('last-event-id') ?? '-'}`);
    const response = await fetch(input, init);
    const bytes = cuts.shift();
    if (bytes === undefined) return response;
    let rest = bytes;
    const cut = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        controller.enqueue(chunk.subarray(0, rest));
        rest -= chunk.length;
        if (rest <= 0) controller.terminate();
      },
    });
    return new Response(response.body?.pipeThrough(cut), response);
  };
}

describe('the browser example of the API guide', () => {
  const api = setUpApi();
  const user = setUpUser(api);
  const body = { message: 'Why is the sky blue? 🌈', model: 'demo/echo' };
  const expected =
    'This is the demo model of Parley. It is not a language model: it only repeats your message. You wrote: Why is the sky blue? 🌈';

  it('reads an uninterrupted stream', async () => {
    const requests: string[] = [];
    const texts: string[] = [];
    const ask = compileExample(cuttingFetch([], requests));
    expect(await ask(api.url, user.token, body, (text) => texts.push(text))).toBe(expected);
    expect(texts.at(-1)).toBe(expected);
    expect(requests).toEqual(['POST -']);
  });

  it.each([[[200]], [[350]], [[350, 120, 240]]])(
    'resumes a stream that is cut after %j bytes',
    async (cuts) => {
      const requests: string[] = [];
      const ask = compileExample(cuttingFetch([...cuts], requests));
      expect(await ask(api.url, user.token, body, () => undefined)).toBe(expected);
      expect(requests).toHaveLength(cuts.length + 1);
      expect(requests.slice(1).every((request) => /^GET 1\.\d+$/.test(request))).toBe(true);
    },
  );

  it('rejects with the error of a refused request', async () => {
    const ask = compileExample(fetch);
    const refused = ask(api.url, user.token, { ...body, model: 'missing/model' }, () => undefined);
    await expect(refused).rejects.toThrow('model_not_found');
  });
});
