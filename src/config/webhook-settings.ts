import { type Network, parseNetworks } from './networks.js';
import type { Setting } from './setting.js';

const ALLOWED_NETWORKS: Setting<readonly Network[]> = {
  description:
    'Networks whose addresses webhooks may have although they are not public, over http as well (`10.1.2.0/24,fd00:1::/64`). Without them, webhooks are sent over https to public addresses only',
  defaultLabel: 'none',
  accepts: 'none, or a comma-separated list of addresses and networks such as 10.1.2.0/24',
  secret: false,
  fallback: [],
  parse: (text) => (text === 'none' ? [] : parseNetworks(text)),
};

/** The settings of webhooks. */
export const WEBHOOK_SETTINGS = { WEBHOOK_ALLOWED_NETWORKS: ALLOWED_NETWORKS };
