import { Resolver } from 'node:dns/promises';

/** Timeout of a query and number of queries for each name server. */
const DNS_OPTIONS = { timeout: 2_000, tries: 2 } as const;

/** Resolves names of hosts to all of their addresses. */
export class AddressResolver {
  /** @param servers name servers, with ports; those of the system by default */
  constructor(private readonly servers?: readonly string[]) {}

  /**
   * Resolves a name by DNS. `dns.lookup` is not used: it blocks one of the few threads of the process, so that slow name
   * servers of some receivers would delay all other work.
   * @returns no addresses if the name has none, or no name server answers
   */
  async resolveAddresses(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const host = name.replace(/\.$/, '');
    // Name servers need not know it.
    if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1'];
    if (signal.aborted) return [];
    const resolver = new Resolver(DNS_OPTIONS);
    if (this.servers !== undefined) resolver.setServers(this.servers);
    const cancel = (): void => {
      resolver.cancel();
    };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}
