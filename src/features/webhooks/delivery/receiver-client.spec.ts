// Real components: HTTP servers, a TLS server and a DNS server on the loopback network.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NameServer } from '../../../../test/support/name-server.js';
import { answerWith, hang, WebhookReceiver } from '../../../../test/support/webhook-receiver.js';
import { parseNetworks } from '../../../config/networks.js';
import { AddressResolver } from '../network/address-resolver.js';
import { ReceiverAddresses } from '../network/receiver-addresses.js';
import { ReceiverClient, type ReceiverResponse } from './receiver-client.js';

const never = new AbortController().signal;
/** Closers of what a test has opened. */
const closers: (() => unknown)[] = [];

let names: NameServer;
let receiver: WebhookReceiver;
/** A service on another address of this machine, at the same port. */
let internal: WebhookReceiver;
let client: ReceiverClient;

beforeAll(async () => {
  names = await NameServer.start();
  receiver = await WebhookReceiver.start();
  internal = await WebhookReceiver.start('127.0.0.2', receiver.port);
  client = clientAllowing('127.0.0.1,127.0.0.2');
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  receiver.requests.length = 0;
  internal.requests.length = 0;
});

afterAll(async () => {
  await receiver.close();
  await internal.close();
  names.close();
});

function clientAllowing(networks: string): ReceiverClient {
  const allowedNetworks = parseNetworks(networks) ?? [];
  return new ReceiverClient(new ReceiverAddresses(new AddressResolver([names.address]), { allowedNetworks }));
}

function post(url: string, signal = never, by = client): Promise<ReceiverResponse | undefined> {
  const headers = { 'content-type': 'application/json', 'webhook-id': 'evt_1' };
  return by.postMessage({ url: new URL(url), headers, body: Buffer.from('{"text":"Grüße"}') }, signal);
}

/** Starts a TCP server that does this with each connection, and returns its address. */
async function listen(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

describe('ReceiverClient', () => {
  it('sends a request to the address that the name resolves to, with the name as its host', async () => {
    names.script(['127.0.0.1']);
    const url = `http://receiver.test:${receiver.port}/hook?a=1`;
    expect(await post(url)).toEqual({ statusCode: 200 });
    expect(receiver.requests).toMatchObject([
      {
        path: '/hook?a=1',
        body: '{"text":"Grüße"}',
        headers: {
          host: `receiver.test:${receiver.port}`,
          'webhook-id': 'evt_1',
          'content-type': 'application/json',
          'content-length': '18',
        },
      },
    ]);
  });

  it('connects to the checked address, although the name has another one a moment later', async () => {
    names.script(['127.0.0.1'], ['127.0.0.2']);
    expect(await post(`http://rebinding.test:${receiver.port}/hook`)).toEqual({ statusCode: 200 });
    expect([receiver.requests.length, internal.requests.length, names.queries]).toEqual([1, 0, 1]);
  });

  it('checks the address again at each request', async () => {
    names.script(['127.0.0.1'], ['10.0.0.1'], ['169.254.169.254']);
    const url = `http://rebinding.test:${receiver.port}/hook`;
    expect(await post(url)).toEqual({ statusCode: 200 });
    expect(await post(url)).toEqual({ error: 'address_refused' });
    expect(await post(url)).toEqual({ error: 'address_refused' });
    expect(receiver.requests).toHaveLength(1);
  });

  it('sends nothing if one of several addresses is not public', async () => {
    names.script(['127.0.0.1', '10.0.0.1']);
    expect(await post(`http://mixed.test:${receiver.port}/hook`)).toEqual({ error: 'address_refused' });
    expect(receiver.requests).toEqual([]);
  });

  it.each(['localhost', 'localhost.', 'a.localhost', '127.0.0.1', '0x7f.1', '[::ffff:127.0.0.1]'])(
    'sends nothing to %s unless the operator allows it',
    async (host) => {
      const url = `http://${host}:${receiver.port}/hook`;
      expect(await post(url, never, clientAllowing('127.0.0.2'))).toEqual({ error: 'address_refused' });
      expect(receiver.requests).toEqual([]);
      expect(await post(url)).toEqual({ statusCode: 200 });
    },
  );

  it('sends nothing over http to a public address', async () => {
    expect(await post('http://1.1.1.1/hook')).toEqual({ error: 'address_refused' });
  });

  it('sends nothing to a name without an address', async () => {
    names.script([]);
    expect(await post('https://unknown.test/hook')).toEqual({ error: 'name_not_resolved' });
  });

  it.each([301, 302, 307, 308])('does not follow a redirect with status %i', async (status) => {
    receiver.script('/moved', answerWith(status, { location: `${internal.origin}/hook` }));
    expect(await post(`${receiver.origin}/moved`)).toEqual({ statusCode: status });
    expect(internal.requests).toEqual([]);
  });

  it('ends a response whose body has no end', async () => {
    const closed = Promise.withResolvers<undefined>();
    receiver.script('/endless', (response) => {
      response.writeHead(202);
      const write = (): void => {
        while (response.write('x'.repeat(1_024)));
      };
      response.on('drain', write).on('close', () => {
        closed.resolve(undefined);
      });
      write();
    });
    expect(await post(`${receiver.origin}/endless`)).toEqual({ statusCode: 202 });
    await closed.promise;
  });

  it('gives up a receiver that does not answer', async () => {
    receiver.script('/hanging', hang);
    expect(await post(`${receiver.origin}/hanging`)).toEqual({ error: 'timeout' });
  }, 60_000);

  it('has no result if it is aborted', async () => {
    receiver.script('/aborted', hang);
    const stopped = new AbortController();
    const sent = post(`${receiver.origin}/aborted`, stopped.signal);
    await receiver.received('/aborted');
    stopped.abort();
    expect(await sent).toBeUndefined();
    expect(await post(`${receiver.origin}/aborted`, stopped.signal)).toBeUndefined();
    expect(receiver.requests).toHaveLength(1);
  });

  it('reports a connection that breaks before the response', async () => {
    const host = await listen((socket) => {
      socket.once('data', () => {
        socket.destroy();
      });
    });
    expect(await post(`http://${host}/`)).toEqual({ error: 'connection_failed' });
  });

  it('reports a response that is no HTTP', async () => {
    const host = await listen((socket) => {
      socket.write('SSH-2.0-OpenSSH_9.2\r\n');
    });
    expect(await post(`http://${host}/`)).toEqual({ error: 'invalid_response' });
  });

  it('sends the name in the handshake of TLS, and reports that it failed', async () => {
    names.script(['127.0.0.1']);
    const asked: string[] = [];
    const server = createTlsServer({
      SNICallback: (name, callback) => {
        asked.push(name);
        callback(null);
      },
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await post(`https://secure.test:${port}/`)).toEqual({ error: 'tls_failed' });
    expect(asked).toEqual(['secure.test']);
  });
});
