import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const TYPE_A = 1;
const HEADER_BYTES = 12;

/** Flags of an answer: response, recursion desired and available; the second with the code for an unknown name. */
const FOUND = 0x8180;
const UNKNOWN_NAME = 0x8183;

/** A real DNS server on the loopback network, which answers queries for IPv4 addresses of every name. */
export class NameServer {
  /** Number of queries for IPv4 addresses. */
  queries = 0;
  private answers: readonly (readonly string[])[] = [];

  private constructor(
    /** Address and port. */
    readonly address: string,
    readonly close: () => void,
  ) {}

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.on('message', (query, { port, address }) => {
      socket.send(server.answer(query), port, address);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const server = new NameServer(`127.0.0.1:${socket.address().port}`, () => {
      socket.close();
    });
    return server;
  }

  /** Scripts the addresses of the next queries; the last ones are repeated. None: the name is unknown. */
  script(...answers: readonly (readonly string[])[]): void {
    this.answers = answers;
    this.queries = 0;
  }

  private answer(query: Buffer): Buffer {
    const end = query.indexOf(0, HEADER_BYTES) + 5;
    const isForIpv4 = query.readUInt16BE(end - 4) === TYPE_A;
    const addresses = this.answers[Math.min(this.queries, this.answers.length - 1)] ?? [];
    if (isForIpv4) this.queries += 1;
    const records = isForIpv4 ? addresses.map(recordOf) : [];
    const header = Buffer.from(query.subarray(0, HEADER_BYTES));
    header.writeUInt16BE(addresses.length === 0 ? UNKNOWN_NAME : FOUND, 2);
    for (const [index, count] of [1, records.length, 0, 0].entries())
      header.writeUInt16BE(count, 4 + 2 * index);
    return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records]);
  }
}

/** Returns the record of an address, with a pointer to the name of the query and no time to live. */
function recordOf(address: string): Buffer {
  const head = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4]);
  return Buffer.concat([head, Buffer.from(address.split('.').map(Number))]);
}
