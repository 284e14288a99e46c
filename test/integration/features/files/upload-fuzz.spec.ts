// Real components: the API on a socket, PostgreSQL and the file directory. Forms that are cut, mutated or hostile, sent
// byte by byte as they are. Whatever happens, every stored byte has a row and every row its bytes.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { idOf } from '../../../support/accounts.js';
import { at, listAt } from '../../../support/client.js';
import { setUpApi, setUpResource, setUpUser } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

const ROUTES = ['/api/v1/files', '/v1/files'] as const;
const TYPE = 'multipart/form-data; boundary=the-boundary';
const HEAD = '--the-boundary\r\nContent-Disposition: form-data; name="file"; filename="';
const MIDDLE = '"\r\nContent-Type: text/plain\r\n\r\n';
const END = '\r\n--the-boundary--\r\n';
const FIELD = '--the-boundary\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n';
/** A valid form with a field on each route. */
const FORM = Buffer.from(`${FIELD}${HEAD}a.txt${MIDDLE}Hello, this is the file.${END}`);

/** Number of mutated forms; a run with another seed tries others. */
const MUTATIONS = 400;

const dataDir = setUpResource(async () => {
  const path = await mkdtemp(join(tmpdir(), 'parley-upload-fuzz-'));
  return { resource: path, close: () => rm(path, { recursive: true }) };
});
const api = setUpApi(() => ({ DATA_DIR: dataDir(), MAX_UPLOAD_MB: '1', BATCH_MAX_INPUT_MB: '1' }));
const user = setUpUser(api);

interface Answer {
  /** 0 if the connection was closed without a response. */
  readonly status: number;
  readonly body: unknown;
}

/**
 * Sends the bytes as the body of an upload on a connection of its own, and reads the response.
 * @param declared length in the header, if it is not that of the bytes; the connection then ends after them
 */
async function sendBytes(
  bytes: Uint8Array,
  {
    path = ROUTES[0],
    type = TYPE,
    declared = bytes.length,
  }: { path?: string; type?: string; declared?: number } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const head = `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${user.token}\r\nContent-Type: ${type}\r\nContent-Length: ${declared}\r\nConnection: close\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
  if (declared > bytes.length) socket.end();
  const response = await text(socket).catch(() => '');
  const [status = '', ...rest] = response.split('\r\n\r\n');
  const json = rest
    .join('\r\n\r\n')
    .replace(/^[0-9a-f]+\r\n/i, '')
    .replace(/\r\n0\r\n\r\n$/, '');
  return {
    status: Number(status.split(' ')[1] ?? 0),
    body: json.startsWith('{') ? (JSON.parse(json) as unknown) : undefined,
  };
}

async function openFiles(): Promise<number> {
  const descriptors = await readdir('/proc/self/fd').catch(() => []);
  const paths = await Promise.all(
    descriptors.map((fd) => readlink(join('/proc/self/fd', fd)).catch(() => '')),
  );
  return paths.filter((path) => path.startsWith(join(dataDir(), 'files'))).length;
}

async function idsIn(sql: string): Promise<string[]> {
  return (await query(api.database, sql, [await idOf(user)])).map(({ id }) => String(id)).sort();
}

/** Checks that rows and bytes agree, and deletes all files. */
async function expectNothingLeft(): Promise<void> {
  const ownerId = await idOf(user);
  const contents = await idsIn('SELECT DISTINCT content_id AS id FROM files WHERE user_id = $1');
  await until('the uploads to end', async () => {
    const stored = await readdir(join(dataDir(), 'files', ownerId)).catch(() => []);
    return (await openFiles()) === 0 && stored.length === contents.length;
  });
  expect(await idsIn('SELECT id FROM file_contents WHERE user_id = $1')).toEqual(contents);
  expect((await readdir(join(dataDir(), 'files', ownerId)).catch(() => [])).sort()).toEqual(contents);
  for (;;) {
    const page = listAt((await user.request('GET', '/api/v1/files?limit=100')).body, 'data');
    if (page.length === 0) break;
    for (const file of page)
      expect((await user.request('DELETE', `/api/v1/files/${String(at(file, 'id'))}`)).status).toBe(204);
  }
  expect(await readdir(join(dataDir(), 'files', ownerId)).catch(() => [])).toEqual([]);
  expect(await idsIn('SELECT content_id AS id FROM file_texts WHERE user_id = $1')).toEqual([]);
}

afterEach(async () => {
  await expectNothingLeft();
  const failures = api.log.filter(
    (line) => line.includes('unexpected failure') || line.includes('could not send'),
  );
  expect(failures).toEqual([]);
});

describe('an upload that is cut', () => {
  it.each(ROUTES)('after any byte of its form is refused or complete, on %s', async (path) => {
    for (let length = 0; length <= FORM.length; length += 1) {
      const { status } = await sendBytes(FORM.subarray(0, length), { path });
      // Without its last line break or hyphen the form may still be complete.
      const allowed = length >= FORM.length - 4 ? [400, 201, 200] : [400];
      expect({ length, status, allowed: allowed.includes(status) }).toEqual({
        length,
        status,
        allowed: true,
      });
    }
  });

  it('by a lost connection after any byte leaves nothing', async () => {
    for (let length = 0; length < FORM.length; length += 3)
      await sendBytes(FORM.subarray(0, length), { declared: FORM.length });
  });
});

describe('an upload with a wrong boundary', () => {
  it.each(
    [
      'multipart/form-data',
      'multipart/form-data;',
      'multipart/form-data; boundary',
      'multipart/form-data; boundary=',
      'multipart/form-data; boundary=""',
      'multipart/form-data; boundary=other',
      'multipart/form-data; boundary=the-boundar',
      'multipart/form-data; boundary=the-boundary2',
      `multipart/form-data; boundary=${'b'.repeat(5000)}`,
      'multipart/form-data; boundary=b\u00fc',
      'multipart/form-data; boundary="the-boundary',
      "multipart/form-data; boundary*=UTF-8''the%2Dboundary",
      'multipart/form-data; boundary=--',
      'multipart/form-data; boundary=the-boundary; boundary=other',
      'multipart/mixed; boundary=the-boundary',
      'multipart/form-data; charset=utf-16; boundary=other',
    ].map((type) => [type.slice(0, 60), type] as const),
  )('%s is refused, or read by its true one', async (_what, type) => {
    const { status } = await sendBytes(FORM, { type });
    expect({ status, known: [201, 400, 415].includes(status) }).toEqual({ status, known: true });
  });
});

describe('an upload with many or strange parts', () => {
  const part = (headers: string, value = 'x') => `--the-boundary\r\n${headers}\r\n\r\n${value}\r\n`;
  const file = `${HEAD}a.txt${MIDDLE}Hello`;
  it.each<[what: string, body: string]>([
    ['10,000 fields before the file', FIELD.repeat(10_000) + file + END],
    ['10,000 fields after the file', `${file}\r\n${FIELD.repeat(10_000)}--the-boundary--`],
    ['10,000 unknown fields', part('Content-Disposition: form-data; name="x"').repeat(10_000) + file + END],
    ['10,000 files', `${file}\r\n`.repeat(10_000) + END],
    ['10,000 parts without headers', `${part('').repeat(10_000)}${file}${END}`],
    ['10,000 parts without a disposition', part('X: y').repeat(10_000) + file + END],
    ['a part with 10,000 headers', `--the-boundary\r\n${'X: y\r\n'.repeat(10_000)}${file.slice(16)}${END}`],
    ['a header of 100 KB', `${HEAD}${'a'.repeat(100_000)}${MIDDLE}Hello${END}`],
    [
      'a field of 100 KB',
      `${part('Content-Disposition: form-data; name="purpose"', 'x'.repeat(100_000))}${file}${END}`,
    ],
    ['a field without a name', `${part('Content-Disposition: form-data')}${file}${END}`],
    ['a file without a name', `${part('Content-Disposition: form-data; filename="a"')}${END}`],
    [
      'a field in an unknown charset',
      `${part('Content-Disposition: form-data; name="purpose"\r\nContent-Type: text/plain; charset=x-evil', 'b\u00fc')}${file}${END}`,
    ],
    ['a field named __proto__', `${part('Content-Disposition: form-data; name="__proto__"')}${file}${END}`],
    [
      'a nested multipart',
      `${part('Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: multipart/mixed; boundary=x', '--x\r\n\r\ny\r\n--x--')}--the-boundary--`,
    ],
    [
      'a base64 transfer encoding',
      `${part('Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Transfer-Encoding: base64', 'SGk=')}--the-boundary--`,
    ],
  ])('%s is refused or stored', async (_what, body) => {
    for (const path of ROUTES) {
      const { status } = await sendBytes(Buffer.from(body), { path });
      expect({ status, known: [0, 200, 201, 400, 413].includes(status) }).toEqual({ status, known: true });
    }
  });
});

describe('an upload with a file name', () => {
  it.each<[what: string, name: Buffer | string, kept: string]>([
    ['in UTF-8', 'Grüße 你好.txt', 'Grüße 你好.txt'],
    [
      'with emoji',
      '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}.txt',
      '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}.txt',
    ],
    ['from right to left', 'تقرير.txt', 'تقرير.txt'],
    ['with an override of the direction', 'a\u202etxt.exe', 'atxt.exe'],
    ['with NUL', 'a\u0000b.txt', 'ab.txt'],
    ['in latin1', Buffer.from('Gr\u00fc\u00dfe.txt', 'latin1'), 'Gr\ufffd\ufffde.txt'],
    ['in UTF-16', Buffer.from('a.txt', 'utf16le'), 'a.txt'],
    ['of lone surrogates', Buffer.from([0xed, 0xa0, 0x80, 0x2e, 0x61]), '\ufffd\ufffd\ufffd.a'],
    ['with percent signs', '100%2525.txt', '100%2525.txt'],
    ['with an escaped quote', 'a%22b.txt', 'a"b.txt'],
    ['that is a path', '..\\..\\/etc/passwd', 'passwd'],
    ['that is empty', '', 'file'],
    ['of 5,000 characters', 'é'.repeat(3000), 'é'.repeat(255)],
  ])('%s is stored', async (_what, name, kept) => {
    const body = Buffer.concat([
      Buffer.from(FIELD + HEAD),
      Buffer.from(name),
      Buffer.from(`${MIDDLE}Hello${END}`),
    ]);
    const { status, body: stored } = await sendBytes(body);
    expect([status, at(stored, 'name')]).toEqual([201, kept]);
    const id = String(at(stored, 'id'));
    expect((await user.request('GET', `/api/v1/files/${id}/content`)).status).toBe(200);
  });

  it.each([
    `filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt`,
    `filename="a.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt`,
    `filename*=iso-8859-1'en'Gr%FC%DFe.txt`,
    `filename*=UTF-8''%FF%00%0D%0A`,
    `filename*=x-evil''%FF`,
    `filename*=UTF-8`,
    `filename=unquoted name.txt`,
    `filename="open`,
    `filename="a"; filename="b"`,
    `filename*0="a"; filename*1="b.txt"`,
    `filename==?utf-8?B?R3LDvMOfZS50eHQ=?=`,
    `filename="a\r\nX-Injected: yes"`,
  ])('in the form %j is stored or refused', async (parameter) => {
    const head = HEAD.replace('filename="', parameter);
    const { status } = await sendBytes(Buffer.from(`${head}${MIDDLE.slice(1)}Hello${END}`));
    expect({ status, known: [201, 400].includes(status) }).toEqual({ status, known: true });
  });
});

it('forms mutated at random are refused or stored', async () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));
  const random = generatorOf(seed);
  for (let round = 0; round < MUTATIONS; round += 1) {
    const mutated = mutate(FORM, random);
    const path = ROUTES[round % 2] ?? ROUTES[0];
    const { status } = await sendBytes(mutated, { path });
    expect({ seed, round, status, known: [200, 201, 400, 413].includes(status) }).toEqual({
      seed,
      round,
      status,
      known: true,
    });
  }
});

/** Returns a generator of integers from 0 to below a bound, the same for the same seed. */
function generatorOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    // A linear congruential generator: its low bits are weak, so the high ones are used.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Changes, removes, repeats or inserts a few bytes of a form. */
function mutate(form: Buffer, random: (bound: number) => number): Buffer {
  let bytes = form;
  for (let count = 1 + random(4); count > 0; count -= 1) {
    const position = random(bytes.length);
    const [before, after] = [bytes.subarray(0, position), bytes.subarray(position)];
    const cut = random(20);
    switch (random(5)) {
      case 0:
        bytes = Buffer.concat([before, Buffer.from([random(256)]), after.subarray(1)]);
        break;
      case 1:
        bytes = Buffer.concat([before, after.subarray(cut)]);
        break;
      case 2:
        bytes = Buffer.concat([before, after.subarray(0, cut), after]);
        break;
      case 3:
        bytes = Buffer.concat([
          before,
          Buffer.from(['\r\n', '--the-boundary', '\0', '"', '\r\n\r\n'][random(5)] ?? ''),
          after,
        ]);
        break;
      default:
        bytes = Buffer.concat([before, Buffer.from('\u{1f600}'), after]);
    }
  }
  return bytes;
}
