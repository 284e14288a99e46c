// Real here: the API on a socket behind a proxy that it trusts, and PostgreSQL.
import { expect, it } from '@jest/globals';
import { type ApiResponse, send } from '../../../support/client.js';
import { countByStatus } from '../../../support/limits.js';
import { setUpApi, setUpUser } from '../../../support/set-up.js';

const PASSWORD = 'a long password';

const api = setUpApi({ TRUST_PROXY: '1' }, 'test');
const user = setUpUser(api, 'test');

const login = (address: string, password: string, email = user.email): Promise<ApiResponse> =>
  send(`${api.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'x-forwarded-for': address },
    body: { email, password },
  });

/** Wrong passwords, each from an address of its own in one network. */
function guessFrom(network: string, count: number): Promise<ApiResponse[]> {
  const addresses = Array.from({ length: count }, (_one, place) => `${network}${(place + 1).toString(16)}`);
  return Promise.all(addresses.map((address) => login(address, 'a wrong password')));
}

/** So many of all were looked at, and hardly any more; the others were sent away. */
function expectAllowed(counts: Readonly<Record<number, number>>, all: number, allowed: number): void {
  const { 401: looked = 0, 429: refused = 0 } = counts;
  expect(looked + refused).toBe(all);
  expect(looked).toBeGreaterThanOrEqual(allowed);
  expect(looked).toBeLessThan(allowed + 4);
}

it('wrong passwords from one IPv6 network count together, and cannot shut the account for its owner', async () => {
  // One more is let in for each wait that passes meanwhile, which on a slow machine one does.
  expectAllowed(countByStatus(await guessFrom('2001:db8:1:2::', 120)), 120, 10);
  expect((await login('2001:db8:1:3::1', PASSWORD)).status).toBe(200);
});

it('a login from a network is remembered for all addresses of it', async () => {
  expect((await login('2001:db8:1:3::1', PASSWORD)).status).toBe(200);
  for (let network = 0; network < 10; network += 1)
    expect(countByStatus(await guessFrom(`2001:db8:2:${String(network)}::`, 10))).toEqual({ 401: 10 });
  expect((await login('2001:db8:9:9::1', PASSWORD)).status).toBe(429);
  expect((await login('2001:db8:1:3:dead:beef::7', PASSWORD)).status).toBe(200);
});

it('one IPv6 network is bounded in what it does to many accounts', async () => {
  const spray = Array.from({ length: 105 }, (_one, place) =>
    login(`2001:db8:1:2::${place.toString(16)}`, 'a wrong password', `nobody-${String(place)}@example.com`),
  );
  expectAllowed(countByStatus(await Promise.all(spray)), 105, 100);
});
