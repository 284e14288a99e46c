// Real components: the API on a socket, PostgreSQL, and the file directory or a bucket.
import { createHash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { idOf } from '../../../support/accounts.js';
import { renameStored, setUpFileStore, storedNames } from '../../../support/file-store.js';
import { uploadedId } from '../../../support/files.js';
import { setUpApi, setUpUser } from '../../../support/set-up.js';

const SIZE = 300_000;
const BYTES = randomBytes(SIZE);
const ETAG = `"${createHash('sha256').update(BYTES).digest('hex')}"`;

const store = setUpFileStore();
const api = setUpApi(() => ({ ...store().settings }));
const user = setUpUser(api);
let id = '';

beforeAll(async () => {
  id = await uploadedId(api.url, user, { name: 'noise.bin', bytes: BYTES });
});

async function download(
  headers: Readonly<Record<string, string>>,
  method = 'GET',
): Promise<{ readonly status: number; readonly headers: Headers; readonly bytes: Buffer }> {
  const response = await fetch(`${api.url}/api/v1/files/${id}/content`, {
    method,
    headers: { authorization: `Bearer ${user.token}`, ...headers },
  });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

describe('a download with a Range', () => {
  it.each<[range: string, start: number, end: number]>([
    ['bytes=0-0', 0, 0],
    ['bytes=0-99', 0, 99],
    ['bytes=70000-200000', 70_000, 200_000],
    ['bytes=299999-', SIZE - 1, SIZE - 1],
    ['bytes=100-', 100, SIZE - 1],
    ['bytes=-1', SIZE - 1, SIZE - 1],
    ['bytes=-500', SIZE - 500, SIZE - 1],
    ['bytes=-99999999', 0, SIZE - 1],
    ['bytes=5-99999999999999999999', 5, SIZE - 1],
    ['BYTES=0-9', 0, 9],
  ])('%s receives exactly those bytes', async (range, start, end) => {
    const got = await download({ range });
    expect([got.status, got.headers.get('content-range'), got.headers.get('content-length')]).toEqual([
      206,
      `bytes ${start}-${end}/${SIZE}`,
      String(end - start + 1),
    ]);
    expect(got.bytes.equals(BYTES.subarray(start, end + 1))).toBe(true);
    expect(got.headers.get('etag')).toBe(ETAG);
    expect(got.headers.get('content-disposition')).toBe('attachment; filename=noise.bin');
  });

  it.each(['bytes=0-1,5-6', 'bytes=9-3', 'bytes=-', 'bytes=a-b', 'lines=0-1', 'bytes=0', 'bytes=--1', ''])(
    '%j receives the whole file',
    async (range) => {
      const got = await download({ range });
      expect([got.status, got.headers.get('content-range'), got.bytes.equals(BYTES)]).toEqual([
        200,
        null,
        true,
      ]);
    },
  );

  it.each(['bytes=300000-', 'bytes=300000-400000', 'bytes=99999999999999999999-', 'bytes=-0'])(
    '%s that has no byte of the file is refused with its size',
    async (range) => {
      const got = await download({ range });
      expect([got.status, got.headers.get('content-range')]).toEqual([416, `bytes */${SIZE}`]);
      expect(JSON.parse(got.bytes.toString())).toMatchObject({ error: { code: 'range_not_satisfiable' } });
    },
  );

  it('and an If-Range receives the range only of the same bytes', async () => {
    expect((await download({ range: 'bytes=0-9', 'if-range': ETAG })).status).toBe(206);
    for (const condition of ['"other"', `W/${ETAG}`, 'Wed, 21 Oct 2026 07:28:00 GMT'])
      expect((await download({ range: 'bytes=0-9', 'if-range': condition })).status).toBe(200);
  });
});

describe('a download with an If-None-Match', () => {
  it.each([ETAG, `W/${ETAG}`, `"other", ${ETAG}`, '*'])('%s receives no bytes it has', async (tag) => {
    const got = await download({ 'if-none-match': tag });
    expect([got.status, got.headers.get('etag'), got.bytes.length]).toEqual([304, ETAG, 0]);
    expect((await download({ 'if-none-match': tag }, 'HEAD')).status).toBe(304);
    expect((await download({ 'if-none-match': tag, range: 'bytes=0-9' })).status).toBe(304);
  });

  it('of other bytes receives the file', async () => {
    const got = await download({ 'if-none-match': '"other"' });
    expect([got.status, got.bytes.equals(BYTES)]).toEqual([200, true]);
  });
});

it('a HEAD request is answered without opening the file, and announces ranges', async () => {
  const folder = await idOf(user);
  const [name = ''] = await storedNames(store(), folder);
  await renameStored(store(), { folder, name }, 'away');
  try {
    const got = await download({ range: 'bytes=0-9' }, 'HEAD');
    expect([got.status, got.headers.get('content-length'), got.headers.get('accept-ranges')]).toEqual([
      200,
      String(SIZE),
      'bytes',
    ]);
    // The bytes are gone: a request that opens them fails.
    expect((await download({})).status).toBe(500);
  } finally {
    await renameStored(store(), { folder, name: 'away' }, name);
  }
});
