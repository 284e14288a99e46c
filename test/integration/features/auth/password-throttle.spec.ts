// Real components: the API on a socket behind a trusted proxy, and PostgreSQL.
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

/** Sends wrong passwords, each from a different address of one network. */
function guessFrom(network: string, count: number): Promise<ApiResponse[]> {
  const addresses = Array.from({ length: count }, (_one, place) => `${network}${(place + 1).toString(16)}`);
  return Promise.all(addresses.map((address) => login(address, 'a wrong password')));
}

/** Checks that about the allowed number of attempts was checked and the rest refused. */
function expectAllowed(counts: Readonly<Record<number, number>>, all: number, allowed: number): void {
  const { 401: looked = 0, 429: refused = 0 } = counts;
  expect(looked + refused).toBe(all);
  expect(looked).toBeGreaterThanOrEqual(allowed);
  expect(looked).toBeLessThan(allowed + 4);
}

it('wrong passwords from one IPv6 network are counted together, and cannot lock the owner out', async () => {
  // One more attempt is allowed for each delay that elapses meanwhile, which happens on a slow machine.
  expectAllowed(countByStatus(await guessFrom('2001:db8:1:2::', 120)), 120, 10);
  expect((await login('2001:db8:1:3::1', PASSWORD)).status).toBe(200);
});

it('a successful login is remembered for all addresses of its network', async () => {
  expect((await login('2001:db8:1:3::1', PASSWORD)).status).toBe(200);
  for (let network = 0; network < 10; network += 1)
    expect(countByStatus(await guessFrom(`2001:db8:2:${String(network)}::`, 10))).toEqual({ 401: 10 });
  expect((await login('2001:db8:9:9::1', PASSWORD)).status).toBe(429);
  expect((await login('2001:db8:1:3:dead:beef::7', PASSWORD)).status).toBe(200);
});

it('one IPv6 network is limited across all accounts', async () => {
  const spray = Array.from({ length: 105 }, (_one, place) =>
    login(`2001:db8:1:2::${place.toString(16)}`, 'a wrong password', `nobody-${String(place)}@example.com`),
  );
  expectAllowed(countByStatus(await Promise.all(spray)), 105, 100);
});
