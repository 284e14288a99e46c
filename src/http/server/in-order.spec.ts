import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { inOrder } from './in-order.js';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Sends a request through middleware, and returns what the handlers behind it saw. */
async function ask(handlers: readonly RequestHandler[]): Promise<unknown> {
  const app = express();
  app.use(inOrder(...handlers));
  app.use((_request: Request, response: Response) => void response.json({ reached: 'the route' }));
  // Express recognizes middleware for errors by its four parameters.
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (error instanceof Error) response.json({ error: error.message });
    else next(error);
  });
  const listening = createServer(app).listen(0, '127.0.0.1');
  server = listening;
  await new Promise((resolve) => listening.once('listening', resolve));
  const { port } = listening.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}/`)).json();
}

describe('middleware in order', () => {
  it('runs one after the other, however each of them continues, and then the route', async () => {
    const seen: string[] = [];
    const answer = await ask([
      (_request, _response, next) => {
        seen.push('first');
        setImmediate(next);
      },
      (_request, _response, next) => {
        seen.push('second');
        next();
      },
    ]);
    expect(answer).toEqual({ reached: 'the route' });
    expect(seen).toEqual(['first', 'second']);
  });

  it('skips the rest after an error', async () => {
    const answer = await ask([
      (_request, _response, next) => {
        next(new Error('refused'));
      },
      (_request, response) => void response.json({ reached: 'the second' }),
    ]);
    expect(answer).toEqual({ error: 'refused' });
  });

  it('passes on what a handler throws that is reached asynchronously', async () => {
    const answer = await ask([
      (_request, _response, next) => {
        setImmediate(next);
      },
      () => {
        throw new Error('broken');
      },
    ]);
    expect(answer).toEqual({ error: 'broken' });
  });

  it('ends with a response of one of them', async () => {
    const answer = await ask([(_request, response) => void response.json({ reached: 'the first' })]);
    expect(answer).toEqual({ reached: 'the first' });
  });
});
