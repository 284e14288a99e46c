import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy that a test can cut, between a client and the server of a connection string. */
export class TcpProxy {
  /** The connection string of the server through this proxy. */
  readonly url: string;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #events = new EventEmitter();
  #isCut = false;
  #isPaused = false;
  #isSwallowing = false;
  #cutAtReplyTo: string | undefined;

  private constructor(target: URL, server: Server, port: number) {
    this.#server = server;
    const url = new URL(target);
    url.hostname = '127.0.0.1';
    url.port = String(port);
    this.url = url.href;
    server.on('connection', (client: Socket) => {
      this.#accept(client, target);
    });
  }

  /** Starts a proxy to the server of a connection string. */
  static async start(connectionString: string): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.');
    return new TcpProxy(new URL(connectionString), server, address.port);
  }

  /** Texts of the statements that clients sent, one for each round trip, in order of arrival. */
  readonly statements: string[] = [];

  /** Number of connections that currently pass through. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Resets all connections, and each new one on arrival. */
  cut(): void {
    this.#isCut = true;
    this.#cutAtReplyTo = undefined;
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  /** Accepts connections again. */
  restore(): void {
    this.#isCut = false;
  }

  /**
   * Holds back the replies of servers on all connections, like a server that hangs: it receives requests, but
   * its replies do not arrive.
   */
  pause(): void {
    this.#isPaused = true;
    for (const [, server] of this.#pairs) server.pause();
  }

  /**
   * Forwards nothing in either direction, not even the end of a connection, like a network that loses all
   * packets.
   */
  swallow(): void {
    this.#isSwallowing = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** Forwards the data that was held back. */
  resume(): void {
    this.#isPaused = false;
    this.#isSwallowing = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Resolves when a client tries to connect while the proxy is cut. */
  async nextRefusal(): Promise<void> {
    await once(this.#events, 'refused');
  }

  /**
   * Cuts the proxy as soon as the server has replied to the next packet that contains the text: the server
   * has executed the request, and the client gets no reply. Resolves when that has happened.
   */
  async cutAtReplyTo(text: string): Promise<void> {
    this.#cutAtReplyTo = text;
    await once(this.#events, 'reply-lost');
  }

  /** Cuts all connections and stops listening. */
  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket, target: URL): void {
    // A reset is an error of both sockets, which the clients and servers notice themselves.
    client.on('error', () => undefined);
    if (this.#isCut) {
      client.resetAndDestroy();
      this.#events.emit('refused');
      return;
    }
    const server = connect(Number(target.port === '' ? 5432 : target.port), target.hostname);
    server.on('error', () => undefined);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [server, client] as const]) {
      from.once('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
    let replyIsLost = false;
    const readMessages = statementReader((text) => this.statements.push(text));
    client.on('data', (bytes) => {
      readMessages(bytes);
      if (this.#cutAtReplyTo !== undefined && bytes.includes(this.#cutAtReplyTo)) {
        this.#cutAtReplyTo = undefined;
        replyIsLost = true;
      }
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (replyIsLost) {
        this.cut();
        this.#events.emit('reply-lost');
      } else {
        client.write(bytes);
      }
    });
    // After adding the listeners, which would start the flow of data.
    if (this.#isPaused || this.#isSwallowing) server.pause();
    if (this.#isSwallowing) client.pause();
  }
}

/**
 * Reads the data that a client sends to PostgreSQL.
 * @param onStatement called with the text of each simple query, and of each parsed statement preceded by its
 * name
 */
function statementReader(onStatement: (text: string) => void): (bytes: Buffer) => void {
  let unread = Buffer.alloc(0);
  let isStarted = false;
  return (bytes) => {
    unread = Buffer.concat([unread, bytes]);
    for (;;) {
      const head = isStarted ? 1 : 0;
      if (unread.length < head + 4) return;
      const length = head + unread.readInt32BE(head);
      if (unread.length < length) return;
      const type = isStarted ? String.fromCharCode(unread[0] ?? 0) : 'startup';
      const body = unread.subarray(head + 4, length);
      unread = unread.subarray(length);
      isStarted = true;
      const [name = '', text = ''] = body.toString('latin1').split('\0');
      if (type === 'Q') onStatement(name);
      if (type === 'P') onStatement(name === '' ? text : `${name}: ${text}`);
    }
  };
}
