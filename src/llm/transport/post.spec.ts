import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Agent } from 'undici';
import { NoResponseError, type ProviderRequest, sendStreaming, sendBuffered } from './post.js';

const agents: Agent[] = [];
const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

function newAgent(): Agent {
  const agent = new Agent();
  agents.push(agent);
  return agent;
}

/** A request to a server that responds with this listener. */
async function requestTo(
  answer: RequestListener,
  signal = new AbortController().signal,
): Promise<ProviderRequest> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  return {
    origin: `http://127.0.0.1:${port}`,
    path: '/path?query=1',
    headers: { 'x-one': '1' },
    body: '{}',
    signal,
  };
}

const failureOf = (answer: Promise<unknown>): Promise<unknown> =>
  answer.then(
    () => 'an answer',
    (error: unknown) => error,
  );

describe('sendBuffered', () => {
  it('returns status, headers and text, regardless of the encoding', async () => {
    const request = await requestTo((incoming, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.writeHead(201, { 'x-two': '2' });
      response.write('\uFEFF{"asked":"');
      response.write(`${incoming.method ?? ''} ${incoming.url ?? ''} ${String(incoming.headers['x-one'])}`);
      const sign = Buffer.from('✓');
      response.write(sign.subarray(0, 1));
      setImmediate(() => {
        response.write(sign.subarray(1));
        response.end('"}');
      });
    });
    const { status, headers, text } = await sendBuffered(newAgent(), request);
    expect([status, headers['x-two'], text]).toEqual([201, '2', '{"asked":"POST /path?query=1 1✓"}']);
  });

  it.each([
    ['before the head', (): void => undefined, true],
    ['in the body of an error', 500, true],
    ['in the body of an answer', 200, false],
  ])('reports a connection that breaks %s', async (_where, status, isNoAnswer) => {
    const request = await requestTo((_incoming, response) => {
      if (typeof status !== 'number') {
        response.destroy();
        return;
      }
      response.writeHead(status, { 'content-length': 100 });
      response.write('{');
      setTimeout(() => response.destroy(), 20);
    });
    const failure = await failureOf(sendBuffered(newAgent(), request));
    expect(failure).toBeInstanceOf(Error);
    expect(failure instanceof NoResponseError).toBe(isNoAnswer);
  });

  it.each(['before it is sent', 'while it is answered'])(
    'ends the request if the caller aborts %s',
    async (when) => {
      const caller = new AbortController();
      const left = Promise.withResolvers<undefined>();
      const request = await requestTo((_incoming, response) => {
        response.once('close', () => left.resolve(undefined));
        response.flushHeaders();
        caller.abort(new Error('gone'));
      }, caller.signal);
      if (when === 'before it is sent') caller.abort(new Error('gone'));
      const failure = await failureOf(sendBuffered(newAgent(), request));
      expect(failure).toMatchObject({ name: 'NoAnswerError', cause: { message: 'gone' } });
      if (when === 'while it is answered') await left.promise;
    },
  );

  it('reports that the connections are closed', async () => {
    const request = await requestTo(() => undefined);
    const agent = newAgent();
    await agent.destroy();
    expect(await failureOf(sendBuffered(agent, request))).toBeInstanceOf(NoResponseError);
    expect(await failureOf(sendStreaming(agent, request))).toBeInstanceOf(NoResponseError);
  });
});
