import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Returns a port on which nothing listens. */
export async function freePort(): Promise<string> {
  const probe = createServer();
  await once(probe.listen(0, '127.0.0.1'), 'listening');
  const { port } = probe.address() as AddressInfo;
  await once(probe.close(), 'close');
  return String(port);
}
