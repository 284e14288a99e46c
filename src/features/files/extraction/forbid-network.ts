import { Socket as DatagramSocket } from 'node:dgram';
import { Server, Socket } from 'node:net';

/**
 * Takes the network from this process. No parser uses it; the permission model of Node does not restrict it, so this is
 * for the case that one of them begins to.
 */
export function forbidNetwork(): void {
  // Not an arrow function: WebSocket is called with `new`.
  function refuse(): never {
    throw new Error('A process for text extraction has no network.');
  }
  for (const [prototype, names] of [
    [Socket.prototype, ['connect']],
    [Server.prototype, ['listen']],
    [DatagramSocket.prototype, ['bind', 'connect', 'send']],
  ] as const)
    for (const name of names) Object.defineProperty(prototype, name, { value: refuse });
  Object.defineProperty(globalThis, 'fetch', { value: refuse });
  Object.defineProperty(globalThis, 'WebSocket', { value: refuse });
}
